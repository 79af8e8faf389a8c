# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, and the two ways in which a plugin's build finds libweir: CMake package and pkg-config.
include(CMakePackageConfigHelpers)

install(TARGETS weir EXPORT weir-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS weir-cli weir-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weir ${PROJECT_BINARY_DIR}/include/weir
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
install(EXPORT weir-targets NAMESPACE weir:: DESTINATION ${package_folder})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weir-config.cmake.in ${PROJECT_BINARY_DIR}/weir-config.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weir-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weir-config.cmake ${PROJECT_BINARY_DIR}/weir-config-version.cmake DESTINATION ${package_folder})

# The prefix in weir.pc is taken from where the file lies, so that a staged or moved tree works as it stands.
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pc ${prefix_from_pc})
configure_file(${PROJECT_SOURCE_DIR}/cmake/weir.pc.in ${PROJECT_BINARY_DIR}/weir.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weir.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

foreach(section 1 5 7)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.${section})
  if(pages)
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endif()
endforeach()

# Unit templates and the user they run as go where systemd looks for those of packages.
file(GLOB units CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/systemd/*.service ${PROJECT_SOURCE_DIR}/systemd/*.slice
  ${PROJECT_SOURCE_DIR}/systemd/*.target)
if(units)
  install(FILES ${units} DESTINATION lib/systemd/system)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/systemd/weir.sysusers.conf DESTINATION lib/sysusers.d RENAME weir.conf)
install(FILES ${PROJECT_SOURCE_DIR}/systemd/weir.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME weir.conf)
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/configs/*.yaml)
if(examples)
  install(FILES ${examples} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/python/weir.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weir/python)
file(GLOB notes CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/NEWS.md)
install(FILES ${notes} DESTINATION ${CMAKE_INSTALL_DOCDIR})
