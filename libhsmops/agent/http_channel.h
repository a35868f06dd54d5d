// HttpChannel: the way to a member's agent over HTTPS; and the paths and roles of its requests.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libhsmops/agent/client.h"
#include "libhsmops/net/transport.h"

namespace hsmops::agent {

inline constexpr std::string_view kMemberPath = "/v1/member/";  // and the request's name
inline constexpr const char* kMemberContentType = "application/vnd.khsm.member";

// Where a request waits for its turn; an index into the lanes of a server that has these routes.
enum class RouteLane : std::uint8_t {
  kAtOnce,   // answered whatever the token is busy with
  kWaiting,  // until other members have confirmed
  kToken,    // one after the other, as the token does them
  kTurns,    // it takes minutes, and the token in turns with the others
  kChanges,  // it ends what those in kWaiting may be waiting for
  kReads,    // of a Primary: until its mirrors are known to hold what it serves
};

// What one request needs of the agent.
struct RequestKind {
  std::string_view name;   // "status", in its path
  bool by_member = false;  // another member may ask it, as a Primary asks its mirrors
  bool by_reader = false;
  bool reads = false;  // in the lane kReads where the gate is open
  RouteLane lane = RouteLane::kToken;
  std::chrono::seconds patience{10};  // how long its answer may take
};
// nullptr: `request` is not the beginning of one, or nothing at all.
const RequestKind* KindOf(base::ByteView request);
const RequestKind* KindOfPath(std::string_view path);

// `transport` and `clock` must outlive it. An answer of 429 or 503 is kUnavailable: nothing was
// done. 403 is kAuthFailed.
std::unique_ptr<Channel> MakeHttpChannel(net::Transport& transport, net::Peer peer,
                                         base::Clock& clock);

// The member of `pool` on this node, whose agent is at `url`. A node whose name cannot stand in an
// identity is never believed to be there.
std::unique_ptr<mirror::Member> ReachMember(net::Transport& transport, const std::string& pool,
                                            const std::string& node, const std::string& url,
                                            base::Clock& clock);

}  // namespace hsmops::agent
