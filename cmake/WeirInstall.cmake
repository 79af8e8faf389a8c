# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, and the two ways in which a plugin's build finds libweir: CMake package and pkg-config. Components are
# the packages of WeirPackages.cmake.
include(CMakePackageConfigHelpers)

install(TARGETS weir EXPORT weir-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
install(TARGETS weir-cli weir-worker weir-console RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weir ${PROJECT_BINARY_DIR}/include/weir
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
install(EXPORT weir-targets NAMESPACE weir:: DESTINATION ${package_folder} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weir-config.cmake.in ${PROJECT_BINARY_DIR}/weir-config.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weir-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weir-config.cmake ${PROJECT_BINARY_DIR}/weir-config-version.cmake
  DESTINATION ${package_folder} COMPONENT development)

# The prefix in weir.pc is taken from where the file lies, so that a staged or moved tree works as it stands.
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pc ${prefix_from_pc})
configure_file(${PROJECT_SOURCE_DIR}/cmake/weir.pc.in ${PROJECT_BINARY_DIR}/weir.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weir.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# Manual pages and completions: those that end in .in are filled in from the tables that weir goes by.
set(generated_folder ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${generated_folder})
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.[1-8])
file(GLOB templates CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.[1-8].in ${PROJECT_SOURCE_DIR}/completion/*.in)
list(REMOVE_ITEM templates ${PROJECT_SOURCE_DIR}/docs/man/libweir.3.in)
foreach(template IN LISTS templates)
  get_filename_component(name ${template} NAME)
  string(REGEX REPLACE "\\.in$" "" name ${name})
  add_custom_command(OUTPUT ${generated_folder}/${name} DEPENDS weir-generate ${template}
    COMMAND weir-generate ${template} ${generated_folder}/${name})
  list(APPEND generated ${generated_folder}/${name})
endforeach()
# libweir(3) is what the public headers say.
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/weir/*.h)
list(REMOVE_ITEM headers ${PROJECT_SOURCE_DIR}/include/weir/stage.h ${PROJECT_SOURCE_DIR}/include/weir/weir.h)
list(PREPEND headers ${PROJECT_SOURCE_DIR}/include/weir/stage.h)
list(APPEND headers ${PROJECT_BINARY_DIR}/include/weir/version.h)
set(headers_page ${PROJECT_SOURCE_DIR}/docs/man/headers.awk ${PROJECT_SOURCE_DIR}/docs/man/libweir.3.in)
add_custom_command(OUTPUT ${generated_folder}/libweir.3 DEPENDS ${headers_page} ${headers} VERBATIM
  COMMAND awk -f ${headers_page} ${headers} > ${generated_folder}/libweir.3.new
  COMMAND ${CMAKE_COMMAND} -E rename ${generated_folder}/libweir.3.new ${generated_folder}/libweir.3)
install(FILES ${generated_folder}/libweir.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)
add_custom_target(weir_pages ALL DEPENDS ${generated} ${generated_folder}/libweir.3)
foreach(page IN LISTS pages generated)
  if(page MATCHES "\\.([1-8])$")
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${CMAKE_MATCH_1} COMPONENT runtime)
  endif()
endforeach()
install(FILES ${generated_folder}/weir.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME weir COMPONENT runtime)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(zsh_folder ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions) # Debian's zsh looks there for those of packages
else()
  set(zsh_folder ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()
install(FILES ${generated_folder}/_weir DESTINATION ${zsh_folder} COMPONENT runtime)

# Unit templates and the user they run as go where systemd looks for those of packages.
file(GLOB units CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/systemd/*.service ${PROJECT_SOURCE_DIR}/systemd/*.slice
  ${PROJECT_SOURCE_DIR}/systemd/*.target ${PROJECT_SOURCE_DIR}/systemd/*.socket)
if(units)
  install(FILES ${units} DESTINATION lib/systemd/system COMPONENT runtime)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/systemd/weir.sysusers.conf DESTINATION lib/sysusers.d RENAME weir.conf COMPONENT runtime)
install(FILES ${PROJECT_SOURCE_DIR}/systemd/weir.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME weir.conf COMPONENT runtime)
install(FILES ${PROJECT_SOURCE_DIR}/python/weir.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weir/python COMPONENT runtime)

file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/configs/*.yaml)
if(examples)
  install(FILES ${examples} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT documentation)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/NEWS.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.png" PATTERN man EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT licence)
include(cmake/WeirPackages.cmake)
