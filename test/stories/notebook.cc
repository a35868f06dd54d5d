#include "test/stories/notebook.h"

#include <fmt/format.h>

#include <functional>
#include <regex>

#include "test/sim/seams.h"

namespace hsmops::stories {

namespace {

// What `name` makes of each match.
std::string Replace(const std::string& text, const std::regex& pattern,
                    const std::function<std::string(const std::smatch&)>& name) {
  std::string out;
  auto from = text.cbegin();
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    out.append(from, text.cbegin() + at->position());
    out += name(*at);
    from = text.cbegin() + at->position() + at->length();
  }
  return out.append(from, text.cend());
}

std::string Seconds(base::Duration time) {
  return fmt::format("{:.1f}s", std::chrono::duration<double>(time).count());
}

}  // namespace

void Notebook::Begin() {
  begun_ = true;
  zero_ = scheduler_.now();
}

std::string Notebook::At(sim::Time time) const { return Seconds(time - zero_); }

void Notebook::Write(const std::string& line) {
  const std::string plain = Plain(line);  // names are given before the beginning as well
  if (begun_) text_ += fmt::format("{:>7}  {}\n", At(scheduler_.now()), plain);
}

void Notebook::Close(const std::string& line) { text_ += Plain(line) + "\n"; }

std::string Notebook::Plain(std::string line) {
  static const std::regex kNonce("\\b[0-9a-f]{16}\\b");
  static const std::regex kUid("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
  static const std::regex kOperation("local-([a-z]+)-[0-9a-f]{8}\\b");
  static const std::regex kWall("\\d{4}-\\d{2}-\\d{2}T[0-9:.]+Z");
  static const std::regex kWaited("\\b\\d+(\\.\\d+)?ms\\b");
  const auto named = [this](const std::string& key, const std::string& kind) -> std::string {
    const auto [at, first] = names_.try_emplace(key);
    if (first) at->second = fmt::format("{}-{}", kind, ++counts_[kind]);
    return at->second;
  };
  line = Replace(line, kUid, [&](const std::smatch& m) { return named(m.str(), "uid"); });
  line = Replace(line, kOperation, [&](const std::smatch& m) { return named(m.str(), m.str(1)); });
  line = Replace(line, kWall, [&](const std::smatch& m) {
    const auto time = base::ParseTime(m.str());
    if (!time.ok()) return m.str();
    return At(*time - base::WallTime(std::chrono::seconds(sim::kBeginOfRun)));
  });
  line = Replace(line, kWaited, [](const std::smatch& m) {
    const auto duration = base::ParseDuration(m.str());
    return duration.ok() ? Seconds(*duration) : m.str();
  });
  return Replace(line, kNonce, [&](const std::smatch& m) { return named(m.str(), "nonce"); });
}

}  // namespace hsmops::stories
