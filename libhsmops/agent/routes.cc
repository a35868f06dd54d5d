#include "libhsmops/agent/routes.h"

#include <fmt/format.h>

#include "libhsmops/agent/frame.h"

namespace hsmops::agent {

using net::PlainReply;
using net::Reply;
using net::Role;

namespace {

bool MayAsk(const RequestKind& kind, Role role) {
  switch (role) {
    case Role::kManager:
      return true;
    case Role::kMember:
      return kind.by_member;
    case Role::kReader:
      return kind.by_reader;
    case Role::kFrontProxy:
      return false;
  }
  return false;
}

}  // namespace

std::variant<net::Route, Reply> Routes::Find(const net::Received& head) {
  const RequestKind* kind = KindOfPath(head.target);
  if (kind == nullptr) return PlainReply(404, "no such request");
  if (head.method != "POST") {
    Reply reply = PlainReply(405, "POST it");
    reply.headers["Allow"] = "POST";
    return reply;
  }
  if (!MayAsk(*kind, head.identity.role)) {
    return PlainReply(
        403, fmt::format("the role {} may not ask {}", net::Name(head.identity.role), kind->name));
  }
  const auto type = head.headers.find("content-type");
  if (type == head.headers.end() || type->second != kMemberContentType)
    return PlainReply(415, std::string("send ") + kMemberContentType);
  net::Route route;
  route.name = std::string(kind->name);
  const RouteLane lane = LaneOf(*kind);
  route.lane = static_cast<std::size_t>(lane);
  route.max_body = kind->lane == RouteLane::kAtOnce ? kMaxSmallBody : kMaxFrameBytes;
  route.handle = [this, kind, lane](net::Received&& request) {
    // Its gate was opened since: it may wait for others now, and not here.
    if (lane != RouteLane::kReads && LaneOf(*kind) == RouteLane::kReads)
      return PlainReply(503, "it has become the Primary; ask again");
    return Answer(std::move(request), *kind);
  };
  return route;
}

RouteLane Routes::LaneOf(const RequestKind& kind) const {
  return kind.reads && gate_open_ && gate_open_() ? RouteLane::kReads : kind.lane;
}

Reply Routes::Answer(net::Received&& request, const RequestKind& kind) {
  // What may be asked was decided by the path; the body has to be that very request.
  if (KindOf(request.body.view()) != &kind)
    return PlainReply(400, "the body is another request than the path says");
  Reply reply;
  reply.content_type = kMemberContentType;
  reply.body = Serve(member_, request.body.view());
  return reply;
}

}  // namespace hsmops::agent
