// Routes: what an agent answers over HTTPS, to whom, and on which threads.
//
// A manager may ask everything; another member of the pool what a Primary asks its mirrors; a
// reader a secret. Which one a peer is its certificate says. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "libhsmops/agent/http_channel.h"
#include "libhsmops/net/http_message.h"

namespace hsmops::agent {

inline constexpr std::size_t kMaxSmallBody = std::size_t{64} << 10;

class Routes {
 public:
  // `member` must outlive it. `gate_open`: whether it is the Primary now, whose reads may wait for
  // other members, which is not to keep the token from everybody else.
  explicit Routes(mirror::Member& member, std::function<bool()> gate_open = {})
      : member_(member), gate_open_(std::move(gate_open)) {}

  // Decides by the header alone, as net::Router wants it.
  std::variant<net::Route, net::Reply> Find(const net::Received& head);

 private:
  net::Reply Answer(net::Received&& request, const RequestKind& kind);

  RouteLane LaneOf(const RequestKind& kind) const;

  mirror::Member& member_;
  const std::function<bool()> gate_open_;
};

}  // namespace hsmops::agent
