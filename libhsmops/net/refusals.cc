#include "libhsmops/net/refusals.h"

#include <fmt/format.h>

namespace hsmops::net {

std::string_view Name(Refusal kind) {
  static constexpr std::array<std::string_view, kRefusals> kNames = {
      "accept",       "connections", "handshake",   "handshake_time", "peer_connections",
      "peer_expired", "rate",        "header_time", "header_size",    "role",
      "malformed",    "body_size",   "body_time",   "busy",           "write_time"};
  return kNames[static_cast<std::size_t>(kind)];
}

// Must be called with the mutex held.
Refusals::Key Refusals::KeyFor(Refusal kind, const std::string& peer, std::string_view why,
                               base::TimePoint now) {
  Key key{kind, peer, kind == Refusal::kHandshake ? std::string(why) : ""};
  if (told_.size() < kMaxRefusalPeers || told_.contains(key)) return key;
  std::erase_if(told_, [&](const auto& entry) { return now - entry.second.at >= kRefusalSilence; });
  if (told_.size() < kMaxRefusalPeers) return key;
  return {kind, "others", ""};
}

void Refusals::Note(Refusal kind, const std::string& peer, std::string_view why) {
  ++counts_[static_cast<std::size_t>(kind)];
  if (!log_) return;
  const std::lock_guard lock(mutex_);
  const base::TimePoint now = clock_.Now();
  const auto [entry, is_new] = told_.try_emplace(KeyFor(kind, peer, why, now), Told{now, 0});
  Told& told = entry->second;
  if (!is_new && now - told.at < kRefusalSilence) {
    ++told.silent;
    return;
  }
  std::string line = fmt::format("refused {}: {}: {}", peer, Name(kind), why);
  if (told.silent > 0) line += fmt::format(" ({} more since the last line)", told.silent);
  told = {now, 0};
  log_(line);
}

}  // namespace hsmops::net
