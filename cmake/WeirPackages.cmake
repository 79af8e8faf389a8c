# SPDX-License-Identifier: Apache-2.0
# Debian packages: `script/package`. weir runs pipelines, libweir-dev is for plugins in C, weir-doc is to be read. What only packages hold is
# in packaging/debian.
set(debian_folder ${PROJECT_SOURCE_DIR}/packaging/debian)
set(made_folder ${PROJECT_BINARY_DIR}/packaging)

# A package is for /usr and nothing else: what goes to /etc, and what Debian wants, is no part of `cmake --install`.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  install(FILES ${debian_folder}/hello.yaml DESTINATION /etc/weir COMPONENT runtime)
  foreach(pair runtime:weir development:libweir-dev documentation:weir-doc)
    string(REGEX REPLACE ":.*" "" component ${pair})
    string(REGEX REPLACE ".*:" "" package ${pair})
    install(FILES ${debian_folder}/copyright ${debian_folder}/changelog DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
    if(EXISTS ${debian_folder}/${package}.lintian-overrides)
      install(FILES ${debian_folder}/${package}.lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME ${package}
        COMPONENT ${component})
    endif()
  endforeach()
endif()

# What dpkg runs and reads has to have these names and, to be run, its mode.
foreach(script postinst prerm postrm)
  file(COPY ${debian_folder}/${script} DESTINATION ${made_folder}
    FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  list(APPEND maintainer_scripts ${made_folder}/${script})
endforeach()
configure_file(${debian_folder}/shlibs.in ${made_folder}/shlibs @ONLY)
foreach(list conffiles triggers)
  file(COPY ${debian_folder}/${list} DESTINATION ${made_folder} FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${debian_folder}/postinst ${debian_folder}/prerm ${debian_folder}/postrm ${debian_folder}/conffiles ${debian_folder}/triggers)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weir)
set(CPACK_PACKAGE_VENDOR weir)
set(CPACK_PACKAGE_CONTACT "weir maintainers <weir@packages.debian.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each has its own
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # /etc is not below the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/compress_documents.cmake)
set(CPACK_COMPONENTS_ALL runtime development documentation)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# The first line stands in lists.
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "data pipelines as trees of processes
weir runs the stages of a pipeline, which are programs, plugins in C or built
in, as processes on one host, and passes items between them through shared
memory. Any of them may be killed at any moment: nothing that was accepted is
lost or done twice, and at the end a ledger says where each item went.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "data pipelines as trees of processes (headers)
Headers of libweir, for stages of weir's pipelines that are written in C; how
a build finds them, by pkg-config and by CMake. `weir new plugin NAME` makes
a project that builds.")
set(CPACK_COMPONENT_DOCUMENTATION_DESCRIPTION "data pipelines as trees of processes (documents)
What holds and what does not, of pipelines that weir runs: specs, deadlines,
formats, reload, survival; and pipelines that run as they stand.")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME weir)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
# The user, and the folder of specs: one of both makes them, and who has systemd has both.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
# What a worker loads when its stage needs it (common/base/library.h); tests/package/run compares with the sources.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS "libseccomp2, libcurl3-gnutls, libmicrohttpd12, tzdata")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS "libpq5, python3, weir-doc, libweir-dev")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${maintainer_scripts} ${made_folder}/conffiles ${made_folder}/triggers
  ${made_folder}/shlibs)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libweir-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "weir (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_RECOMMENDS "gcc | c-compiler, libc6-dev | libc-dev, make, pkg-config")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "cmake")

set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_NAME weir-doc)
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_SECTION doc)
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_ARCHITECTURE all)
include(CPack)
