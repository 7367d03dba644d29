// Ctrl-C as a flag: long work polls interrupted() and stops cleanly; a second Ctrl-C leaves at once.
#pragma once

namespace jevons {

// Installs the handlers: SIGINT and SIGTERM set the flag (a second one ends the process with exit code 130); SIGPIPE is
// ignored, so that a closed output is a write error and not a signal. Called once, by main().
void install_signal_handlers();

bool interrupted();
// For a conversation: the interrupt was taken as "stop this answer"; the next Ctrl-C is a first one again.
void clear_interrupt();
// Throws Error{interrupted} if the flag is set; ends the command with exit code 130.
void check_interrupt();

}  // namespace jevons
