#include "test/cli/transcript.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "test/support/paths.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;

std::string ReplaceAll(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// Widths of table columns follow from what is replaced, so runs of blanks become two.
std::string Normalise(std::string text, const std::string& folder) {
  text = ReplaceAll(std::move(text), folder, "DIR");
  // A blank line would be lost when the transcript is read again.
  text = ReplaceAll(std::move(text), "\n\n", "\n");
  if (text.starts_with("\n")) text.erase(0, 1);
  static const std::array<std::pair<std::regex, const char*>, 9> kRules = {{
      {std::regex("\x1b\\[[0-9;]*[A-Za-z]"), "<ESC>"},
      {std::regex("\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?Z"), "TIME"},
      {std::regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"},
      {std::regex(
           "(sync|verify|promote|failover|pause|resume|ack|reinit|adopt|discard)-[0-9a-f]{8}"),
       "$1-ID"},
      {std::regex("\\b(\\d+\\.\\d+)\\.[0-9a-f]{16}\\b"), "$1.NONCE"},
      {std::regex("\\b[0-9a-f]{16}\\b"), "SERIAL"},
      {std::regex("\\b\\d+(ms|s|m\\d+s|m)\\b( ago)?"), "AGE"},
      {std::regex("pid \\d+"), "pid PID"},
      {std::regex("[ \t]{2,}"), "  "},
  }};
  for (const auto& [rule, word] : kRules) text = std::regex_replace(text, rule, word);
  return text;
}

struct Ran {
  std::string output;
  int code = 0;
};

// Whoever runs the tests may have a kubeconfig.
const std::string kNobody = "HOME=/nonexistent KUBECONFIG= ";

Ran RunShell(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ran ran;
  std::array<char, 4096> buffer{};
  for (std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe); n > 0;
       n = fread(buffer.data(), 1, buffer.size(), pipe))
    ran.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

class Session {
 public:
  explicit Session(std::string binary) : binary_(std::move(binary)) {}

  std::string Command(const std::string& line) {
    const std::string folder = folder_.path();
    std::string command =
        ReplaceAll(ReplaceAll(line, "kubectl hsm", binary_), "DIR", folder + "/c");
    command =
        ReplaceAll(ReplaceAll(command, "TMP", folder), "@FAULT@", ProgramPath("libkhsm_fault.so"));
    if (tty_) {
      // script(1) gives the command a terminal.
      command = fmt::format("script -qec '{}' /dev/null < /dev/null | tr -d '\\r'",
                            ReplaceAll(command, "'", "'\\''"));
      tty_ = false;
      command = "set -o pipefail 2>/dev/null; " + command;
    } else {
      command = fmt::format("{{ {}; }} 2> {}/stderr < /dev/null", command, folder);
    }
    std::error_code ignored;
    fs::remove(folder + "/stderr", ignored);
    const Ran ran = RunShell(kNobody + ("bash -c " + Quoted(command)));
    std::ifstream err(folder + "/stderr");
    std::string text = ran.output;
    if (!text.empty() && text.back() != '\n') text += "\n";
    text += std::string(std::istreambuf_iterator<char>(err), {});
    text = Normalise(text, folder + "/c");
    text = ReplaceAll(text, folder, "TMP");
    if (ran.code != 0) text += fmt::format("[exit {}]\n", ran.code);
    return text;
  }

  void Directive(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string name;
    words >> verb >> name;
    const std::string tokens =
        fmt::format("{}/c/tokens/default.local/{}/tokens", folder_.path(), name);
    if (verb == "unplug") {
      fs::rename(tokens, tokens + ".away");
      fs::create_directory(tokens);
    } else if (verb == "plug") {
      fs::remove_all(tokens);
      fs::rename(tokens + ".away", tokens);
    } else if (verb == "swap") {  // an empty token in its place
      fs::remove_all(folder_.path() + "/c/tokens/default.local/" + name);
    } else if (verb == "file") {
      std::string text;
      std::getline(words >> std::ws, text);
      std::ofstream(folder_.path() + "/" + name) << ReplaceAll(text, "\\n", "\n");
    } else if (verb == "tty") {
      tty_ = true;
    } else {
      FAIL("unknown directive: " << line);
    }
  }

 private:
  static std::string Quoted(const std::string& text) {
    return "'" + ReplaceAll(text, "'", "'\\''") + "'";
  }
  TempFolder folder_;
  std::string binary_;
  bool tty_ = false;
};

}  // namespace

std::string RunTranscript(const std::string& script, const std::string& binary) {
  Session session(binary);
  std::istringstream in(script);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("@ ")) {
      session.Directive(line.substr(2));
      out += line + "\n";
    } else if (line.starts_with("$ ")) {
      out += line + "\n" + session.Command(line.substr(2));
    } else if (line.starts_with("# ")) {
      out += line + "\n";
    }
  }
  return out;
}

}  // namespace hsmops::test
