#include "test/bench/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "cli/app.h"
#include "test/bench/measure.h"

namespace hsmops::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};
// Whoever is asked oftener answers instead of working.
constexpr std::chrono::milliseconds kPoll{25};

}  // namespace

std::string Hsm(const std::string& folder, std::vector<std::string> words) {
  words.insert(words.begin(), {"--local", folder});
  std::ostringstream out;
  std::ostringstream err;
  std::istringstream in;
  if (cli::RunApp(words, cli::Streams{out, err, in}, HSMOPS_CLI) != 0)
    Give(words[2] + ": " + err.str());
  return out.str() + err.str();
}

std::vector<std::string> WithCertificate(const std::string& folder, std::vector<std::string> words,
                                         const std::string& who) {
  const std::string certs = folder + "/certs/" + who;
  words.insert(words.end(), {"--ca", certs + "/ca.crt", "--cert", certs + "/tls.crt", "--key",
                             certs + "/tls.key"});
  return words;
}

void AwaitThat(const std::function<bool()>& holds, const std::string& what) {
  const base::TimePoint until = wall.Now() + kPatience;
  while (!holds()) {
    if (wall.Now() > until) Give("it did not happen: " + what);
    wall.SleepFor(kPoll);
  }
}

double ResidentMegabytes(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// proc(5): utime and stime are fields 14 and 15; the command's name before them may hold blanks.
double ProcessorSeconds(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace hsmops::bench
