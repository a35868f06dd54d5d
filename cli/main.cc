// kubectl-hsm: the command line, and the processes that it starts from the same binary.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/app.h"
#include "cli/complete.h"
#include "cli/exit_code.h"
#include "libhsmops/agent/child.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/hardening.h"

namespace {

// Token processes end by themselves when their pipe closes; a write in flight there is whole or
// absent.
extern "C" void Interrupted(int) {
  constexpr char kNote[] =
      "\ninterrupted; a write in flight is whole or not there, and the same command finishes what "
      "was begun\n";
  (void)!write(STDERR_FILENO, kNote, sizeof kNote - 1);
  _exit(hsmops::cli::kInterrupted);
}

void Wipe(char* word) { std::memset(word, '*', std::strlen(word)); }

// kubectl's --token, in both its forms; an agent's is the URI of its token, and no secret.
void WipeToken(int argc, char** argv) {
  constexpr std::string_view kFlag = "--token";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    char* value = nullptr;
    if (word == kFlag && i + 1 < argc) value = argv[i + 1];
    if (word.starts_with("--token=")) value = argv[i] + kFlag.size() + 1;
    if (value != nullptr && !std::string_view(value).starts_with("pkcs11:")) Wipe(value);
  }
}

// A value given by --from-literal is in the process list for as long as it stands in argv: wipe it
// at once. A misspelt flag gives one too, so of a put everything behind a "=" goes.
void WipeValues(int argc, char** argv) {
  if (std::none_of(argv + 1, argv + argc,
                   [](const char* word) { return word == std::string("put"); }))
    return;
  for (int i = 1; i < argc; ++i) {
    char* equals = std::strchr(argv[i], '=');
    if (equals != nullptr) Wipe(equals + 1);
  }
}

// A closed stream's number would go to the next file that is opened. Closed input is not empty
// input: reading it is an error.
void OpenStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    (void)open("/dev/null", O_RDWR);  // gets the lowest free number, which is this one
    if (fd == STDIN_FILENO) std::cin.setstate(std::ios::badbit);
    if (fd == STDOUT_FILENO) std::cout.setstate(std::ios::badbit);
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
  WipeToken(argc, argv);
  WipeValues(argc, argv);
  OpenStandardStreams();
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
    return hsmops::cli::PrintCompletion(
        {words.begin() + static_cast<std::ptrdiff_t>(skip), words.end()});
  }
  return hsmops::cli::RunApp(words, streams, "/proc/self/exe");
}
