// The program: everything else is in the libraries. Start reading at cli/command.h.
#include "base/interrupt.h"
#include "cli/command.h"

int main(int argc, char** argv) {
  jevons::install_signal_handlers();
  return jevons::run_program({argv + (argc > 0), argv + argc});
}
