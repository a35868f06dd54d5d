#include "cli/demo/narrator.h"

#include <fmt/format.h>

#include <functional>
#include <ostream>
#include <sstream>

#include "cli/app.h"
#include "libhsmops/base/file.h"

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kAwaitPause{200};

std::string Typed(const std::vector<std::string>& words) {
  std::string typed = "kubectl hsm";
  for (const std::string& word : words)
    typed += " " + (word.find(' ') == std::string::npos ? word : "'" + word + "'");
  return typed;
}

// Why it is not as expected; empty: it is.
std::string WhyNot(const Expected& expected, int code, const std::string& text) {
  if (code != expected.code) return fmt::format("exit code {} instead of {}", code, expected.code);
  for (const std::string& wanted : expected.says) {
    if (text.find(wanted) == std::string::npos)
      return fmt::format("does not say \"{}\"", wanted.substr(0, 60));
  }
  for (const std::string& never : expected.never) {
    if (text.find(never) != std::string::npos) return fmt::format("says \"{}\"", never);
  }
  return {};
}

}  // namespace

void Narrator::Say(const std::string& sentence) {
  context_.out() << "\n# " << sentence << "\n" << std::flush;
}

void Narrator::Aside(const std::string& what) {
  context_.out() << "(" << what << ")\n" << std::flush;
}

Narrator::Ran Narrator::RunQuietly(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  std::istringstream in;
  std::vector<std::string> all{"--local", cluster_};
  all.insert(all.end(), words.begin(), words.end());
  Ran ran;
  ran.code = RunApp(all, Streams{out, err, in}, context_.program());
  ran.text = err.str() + out.str();
  return ran;
}

void Narrator::Show(const std::vector<std::string>& words, const Ran& ran, std::size_t lines) {
  context_.out() << "$ " << Typed(words) << "\n";
  std::istringstream in(ran.text);
  std::size_t shown = 0;
  std::size_t hidden = 0;
  for (std::string line; std::getline(in, line);) {
    if (shown++ < lines) {
      context_.out() << "  " << line << "\n";
    } else {
      ++hidden;
    }
  }
  if (hidden > 0) context_.out() << fmt::format("  … {} more lines\n", hidden);
  if (ran.code != kDone) context_.out() << fmt::format("(exit code {})\n", ran.code);
  context_.out() << std::flush;
  ++commands_;
}

Result<void> Narrator::Run(const std::vector<std::string>& words, const Expected& expected,
                           std::size_t lines) {
  const Ran ran = RunQuietly(words);
  Show(words, ran, lines);
  const std::string why = WhyNot(expected, ran.code, ran.text);
  if (why.empty()) return {};
  return Error(ErrorCode::kInternal, Typed(words) + ": " + why);
}

Result<void> Narrator::Await(const std::vector<std::string>& words, const Expected& expected,
                             base::Duration limit, std::size_t lines) {
  const base::TimePoint until = context_.clock().Now() + limit;
  for (;;) {
    const Ran ran = RunQuietly(words);
    const std::string why = WhyNot(expected, ran.code, ran.text);
    const bool over = context_.clock().Now() >= until;
    if (why.empty() || over) Show(words, ran, lines);
    if (why.empty()) return {};
    if (over)
      return Error(ErrorCode::kInternal,
                   fmt::format("{}: after {}: {}", Typed(words), base::FormatDuration(limit), why));
    context_.clock().SleepFor(kAwaitPause);
  }
}

Result<void> Narrator::Until(const std::function<bool()>& holds, base::Duration limit,
                             const std::string& what) {
  const base::TimePoint until = context_.clock().Now() + limit;
  while (!holds()) {
    if (context_.clock().Now() >= until)
      return Error(ErrorCode::kInternal,
                   fmt::format("after {}: {}", base::FormatDuration(limit), what));
    context_.clock().SleepFor(kAwaitPause);
  }
  return {};
}

Result<void> Narrator::File(const std::string& name, const std::string& content) {
  return base::WriteFile(Path(name), base::AsBytes(content), 0600);
}

}  // namespace hsmops::cli
