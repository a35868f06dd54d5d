#include "libhsmops/agent/http_channel.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/agent/frame.h"
#include "libhsmops/agent/verb.h"
#include "libhsmops/base/failpoint.h"

namespace hsmops::agent {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using std::chrono::seconds;

namespace {

// Of what is answered whatever the token does: an answer that is later is lost, and a grant should
// not run out over waiting for it.
constexpr seconds kAtOnce{3};

// A host that is silent is to be noticed in the time that healthCheckInterval and
// unhealthyThreshold say, so a look waits for little more than that.
constexpr seconds kLookPatience{5};

// In the order of Verb.
constexpr RequestKind kKinds[] = {
    {.name = "status", .patience = kLookPatience},
    {.name = "open-gate", .lane = RouteLane::kAtOnce, .patience = kAtOnce},
    {.name = "fence"},
    {.name = "quiesce"},
    {.name = "freeze"},
    {.name = "digest", .by_member = true},
    {.name = "inventory", .by_member = true, .patience = seconds(30)},
    {.name = "read", .by_reader = true, .reads = true},
    {.name = "records", .patience = seconds(30)},
    {.name = "read-legacy"},
    {.name = "stage", .patience = seconds(30)},
    {.name = "apply", .by_member = true, .patience = seconds(30)},
    {.name = "acknowledge"},
    {.name = "verify", .lane = RouteLane::kTurns, .patience = seconds(600)},
    {.name = "quarantine", .patience = seconds(60)},
    {.name = "read-quarantined"},
    {.name = "discard-quarantined"},
    {.name = "collect", .patience = seconds(330)},
    {.name = "collect-tombstones", .patience = seconds(20)},
    {.name = "initialize", .patience = seconds(600)},
    {.name = "told", .lane = RouteLane::kAtOnce, .patience = kAtOnce},
    {.name = "pulse", .lane = RouteLane::kAtOnce, .patience = kAtOnce},
    {.name = "prepare", .lane = RouteLane::kChanges, .patience = seconds(30)},
    {.name = "put", .lane = RouteLane::kWaiting, .patience = seconds(30)},
    {.name = "era", .by_member = true, .lane = RouteLane::kAtOnce, .patience = kAtOnce},
};
static_assert(std::size(kKinds) == static_cast<std::size_t>(LastOf(Verb{})) + 1);

class HttpChannel : public Channel {
 public:
  HttpChannel(net::Transport& transport, net::Peer peer, base::Clock& clock)
      : transport_(transport), peer_(std::move(peer)), clock_(clock) {}

  Result<SecretBytes> Call(SecretBytes request) override {
    const RequestKind* kind = KindOf(request.view());
    if (kind == nullptr) return Error(ErrorCode::kInvalid, "not a request to a member");
    net::Request http;
    http.method = "POST";
    http.path = fmt::format("{}{}", kMemberPath, kind->name);
    http.content_type = kMemberContentType;
    http.body = std::move(request);
    http.deadline = clock_.Now() + kind->patience;
    http.max_answer_bytes = kMaxFrameBytes;
    auto called = transport_.Call(peer_, std::move(http));
    base::Failpoint(kind->name.data());
    if (!called.ok()) return called.error();
    net::Answer answer = *std::move(called);
    if (answer.status == 200 && answer.content_type == kMemberContentType)
      return std::move(answer.body);
    return Refused(answer);
  }

 private:
  static Error Refused(const net::Answer& answer) {
    const std::string text =
        fmt::format("the agent answered {}: {}", answer.status, net::ShownBody(answer));
    switch (answer.status) {
      case 403:
        return {ErrorCode::kAuthFailed, text};
      case 413:
        return {ErrorCode::kLimit, text};
      case 429:
      case 503:
        return {ErrorCode::kUnavailable, text};
      case 400:
      case 404:
      case 405:
      case 415:
        return {ErrorCode::kInvalid, text + "; is it of another version?"};
      default:
        return {ErrorCode::kInDoubt, text};
    }
  }

  net::Transport& transport_;
  const net::Peer peer_;
  base::Clock& clock_;
};

}  // namespace

const RequestKind* KindOf(base::ByteView request) {
  if (request.empty() || request[0] >= std::size(kKinds)) return nullptr;
  return &kKinds[request[0]];
}

const RequestKind* KindOfPath(std::string_view path) {
  if (!path.starts_with(kMemberPath)) return nullptr;
  const std::string_view name = path.substr(kMemberPath.size());
  const auto* found = std::ranges::find(kKinds, name, &RequestKind::name);
  return found == std::end(kKinds) ? nullptr : found;
}

std::unique_ptr<Channel> MakeHttpChannel(net::Transport& transport, net::Peer peer,
                                         base::Clock& clock) {
  return std::make_unique<HttpChannel>(transport, std::move(peer), clock);
}

std::unique_ptr<mirror::Member> ReachMember(net::Transport& transport, const std::string& pool,
                                            const std::string& node, const std::string& url,
                                            base::Clock& clock) {
  net::Peer peer;
  peer.url = url;
  if (const auto id = net::Identity{pool, net::Role::kMember, node}.Id(); id.ok())
    peer.identity = *id;
  return std::make_unique<Client>(MakeHttpChannel(transport, std::move(peer), clock));
}

}  // namespace hsmops::agent
