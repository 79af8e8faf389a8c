# SPDX-License-Identifier: Apache-2.0
option(WEIR_WERROR "Treat warnings as errors" OFF)
set(WEIR_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")
option(WEIR_COVERAGE "Instrument for gcov" OFF)

# weir_flags(target): the warnings, hardening and language level that everything is built with.
function(weir_flags target)
  target_compile_features(${target} PRIVATE c_std_11)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
    -Wpointer-arith -Wundef -Wformat=2 -Wvla -fno-strict-aliasing -fno-common -fvisibility=hidden
    -fstack-protector-strong)
  if(WEIR_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT WEIR_SANITIZE)
    target_compile_definitions(${target} PRIVATE _FORTIFY_SOURCE=2)
    target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now)
  endif()
  if(WEIR_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${WEIR_SANITIZE})
  endif()
  if(WEIR_COVERAGE)
    target_compile_options(${target} PRIVATE --coverage)
    target_link_options(${target} PRIVATE --coverage)
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
endfunction()

# weir_program(target): a program of build/<preset>/bin that finds libweir beside its own prefix, wherever that is moved to. Below /usr
# the loader finds it by itself, and a path in the program would overrule what the host says.
function(weir_program target)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    file(RELATIVE_PATH library_folder ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${library_folder}")
  endif()
endfunction()

# weir_unit_test(source top): one cmocka program. tests/unit/common/flow/test_lane.c becomes the test unit.common.flow.lane, linked with all
# of its top folder (common, worker, broker) but main().
function(weir_unit_test source top)
  file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR}/tests/unit ${source})
  string(REGEX REPLACE "/?test_([^/]*)\\.c$" "/\\1" path ${relative})
  string(REPLACE "/" "." name ${path})
  string(REPLACE "/" "_" target "test_${path}")
  add_executable(${target} ${source})
  weir_flags(${target})
  if(TARGET weir_test_${top})
    target_link_libraries(${target} PRIVATE weir_test_${top})
  endif()
  if(top STREQUAL "console") # a pipeline without processes
    target_link_libraries(${target} PRIVATE weir_test_broker)
  endif()
  if(top STREQUAL "common")
    target_link_libraries(${target} PRIVATE weir_common PkgConfig::CMOCKA)
  else()
    target_link_libraries(${target} PRIVATE weir_${top}_core PkgConfig::CMOCKA)
  endif()
  if(path MATCHES "^common/(stage|scope)/")
    target_link_libraries(${target} PRIVATE weir)
  endif()
  target_compile_definitions(${target} PRIVATE WEIR_SOURCE_DIR="${PROJECT_SOURCE_DIR}" WEIR_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME unit.${name} COMMAND ${target})
  set_tests_properties(unit.${name} PROPERTIES LABELS fast TIMEOUT 60 ENVIRONMENT "WEIR_TRUSTED_OWNERS=${WEIR_TREE_OWNERS}")
endfunction()
