# `cmake --install`: the program, its manual page, and what shells read, as the program itself prints them. The pages are in the program;
# LibTorch and Arrow stay where the build found them.
include(GNUInstallDirs)
set_target_properties(vlsi PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS vlsi)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

function(install_printed place)  # by the arguments behind it
  get_filename_component(name ${place} NAME)
  set(file ${CMAKE_BINARY_DIR}/printed/${name})
  install(CODE "execute_process(COMMAND $<TARGET_FILE:vlsi> ${ARGN} OUTPUT_FILE ${file} COMMAND_ERROR_IS_FATAL ANY)")
  get_filename_component(folder ${place} DIRECTORY)
  install(FILES ${file} DESTINATION ${folder})
endfunction()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/printed)
install_printed(${CMAKE_INSTALL_MANDIR}/man1/vlsi.1 man)
install_printed(${CMAKE_INSTALL_DATADIR}/bash-completion/completions/vlsi completion bash)
install_printed(${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_vlsi completion zsh)
install_printed(${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/vlsi.fish completion fish)
