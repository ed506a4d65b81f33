# SPDX-License-Identifier: MIT
# mmd_dispatch(TARGET SOURCE...): the sources are compiled for each level of x86-64 that the library knows, with what TARGET links and its
# include folders, and become part of TARGET; <mmd/core/dispatch.hpp> chooses between them at run time. TARGET itself must be compiled for the oldest
# processor: without -march. Elsewhere the sources are compiled once.
include_guard()
function(mmd_dispatch target)
  set(levels "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(levels x86-64 x86-64-v3 x86-64-v4)  # in this order on the linker's line
  endif()
  if(NOT levels)
    target_sources(${target} PRIVATE ${ARGN})
  endif()
  foreach(level IN LISTS levels)
    set(copy ${target}_${level})
    add_library(${copy} OBJECT ${ARGN})
    target_compile_options(${copy} PRIVATE $<TARGET_PROPERTY:${target},COMPILE_OPTIONS> -march=${level})
    target_compile_definitions(${copy} PRIVATE $<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>)
    target_include_directories(${copy} PRIVATE $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
    target_link_libraries(${copy} PRIVATE $<TARGET_PROPERTY:${target},LINK_LIBRARIES>)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${copy}>)
  endforeach()
endfunction()
