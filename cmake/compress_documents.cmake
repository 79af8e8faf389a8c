# SPDX-License-Identifier: Apache-2.0
# Run by CPack between staging and packing: manual pages and changelogs are compressed, without name and time, as Debian wants them.
file(GLOB_RECURSE documents ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/man*/* ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/doc/*/changelog)
foreach(document IN LISTS documents)
  if(NOT document MATCHES "\\.gz$")
    execute_process(COMMAND gzip -9nf ${document} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
