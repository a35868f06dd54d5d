// kubectl-hsm: the command line, and the processes that it starts from the same binary.
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/exit_code.h"
#include "libhsmops/agent/child.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/hardening.h"

namespace {

// Token processes end by themselves when their pipe closes; a write in flight there is whole or
// absent.
extern "C" void Interrupted(int) {
  constexpr char kNote[] = "\ninterrupted; a write in flight is either whole or not there\n";
  (void)!write(STDERR_FILENO, kNote, sizeof kNote - 1);
  _exit(hsmops::cli::kInterrupted);
}

// A value given by --from-literal is in the process list for as long as it stands in argv: wipe it
// at once.
void WipeLiterals(int argc, char** argv) {
  constexpr char kFlag[] = "--from-literal";
  for (int i = 1; i < argc; ++i) {
    char* value = nullptr;
    if (std::strncmp(argv[i], kFlag, sizeof kFlag - 1) != 0) continue;
    if (argv[i][sizeof kFlag - 1] == '=')
      value = argv[i] + sizeof kFlag;
    else if (argv[i][sizeof kFlag - 1] == '\0' && i + 1 < argc)
      value = argv[i + 1];
    if (value != nullptr) std::memset(value, '*', std::strlen(value));
  }
}

}  // namespace

int main(int argc, char** argv) {
  using hsmops::cli::Streams;
  hsmops::base::Harden();
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == hsmops::agent::kChildVerb)
    return hsmops::agent::RunChild(STDIN_FILENO);
  if (!words.empty() && words[0] == hsmops::agent::kInitTokenVerb)
    return hsmops::agent::RunInitToken(STDIN_FILENO);
  WipeLiterals(argc, argv);
  std::signal(SIGINT, Interrupted);
  std::signal(SIGTERM, Interrupted);
  Streams streams{std::cout,
                  std::cerr,
                  std::cin,
                  isatty(STDOUT_FILENO) == 1,
                  isatty(STDERR_FILENO) == 1,
                  isatty(STDIN_FILENO) == 1};
  const std::string name = argc > 0 ? argv[0] : "";
  if (name.ends_with("kubectl_complete-hsm") || (!words.empty() && words[0] == "__complete")) {
    const std::size_t skip = name.ends_with("kubectl_complete-hsm") ? 0 : 1;
    for (const std::string& word :
         hsmops::cli::Complete({words.begin() + static_cast<std::ptrdiff_t>(skip), words.end()}))
      std::cout << word << "\n";
    std::cout << ":4\n";  // cobra's directive: no file names
    return 0;
  }
  const int code = hsmops::cli::RunApp(words, streams, "/proc/self/exe");
  std::cout.flush();
  if (!std::cout && code == 0) {
    std::cerr << "error: standard output could not be written\n";
    return hsmops::cli::kFailed;
  }
  return code;
}
