#include "libhsmops/manager/live_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/agent/message.h"

namespace hsmops::manager {

template <typename A>
void Fields(A& a, Served& v) {
  a(v.secret, v.node, v.by_primary, v.in_sync_set, v.why_not_primary, v.certain);
}

using agent::In;
using agent::Out;
using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using mirror::Acknowledged;
using net::PlainReply;
using net::Reply;

namespace {

constexpr std::string_view kPrefix = "/v1/devices/";

template <typename T>
SecretBytes Encode(const Result<T>& result) {
  Out out;
  out(result);
  return std::move(out).Take();
}

template <typename T>
Result<T> Decode(const SecretBytes& answer) {
  In in(answer.view());
  auto result = in.Make<Result<T>>();
  HSM_RETURN_IF_ERROR(in.reader().Finish("answer"));
  return result;
}

}  // namespace

std::vector<net::LaneLimits> LiveLanes() { return {{"live", 16, 64}, {"writes", 32, 64}}; }

std::optional<LiveApi::Place> LiveApi::Parse(std::string_view target) {
  if (!target.starts_with(kPrefix)) return std::nullopt;
  target.remove_prefix(kPrefix.size());
  std::vector<std::string> parts;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const std::size_t slash = target.find('/', at);
    parts.emplace_back(target.substr(at, slash == std::string_view::npos ? slash : slash - at));
    at = slash == std::string_view::npos ? slash : slash + 1;
  }
  if (parts.size() != 3 || (parts[2] != "put" && parts[2] != "get" && parts[2] != "stamp"))
    return std::nullopt;
  if (!cluster::CheckNamespace(parts[0]).ok() || !cluster::CheckName(parts[1]).ok())
    return std::nullopt;
  return Place{parts[0], parts[1], parts[2]};
}

std::variant<net::Route, Reply> LiveApi::Find(const net::Received& head) {
  const auto place = Parse(head.target);
  if (!place) return PlainReply(404, "no such device or verb");
  if (head.method != "POST") {
    Reply reply = PlainReply(405, "POST it");
    reply.headers["Allow"] = "POST";
    return reply;
  }
  const bool reads = place->verb == "get";
  if (head.identity.role != net::Role::kManager &&
      !(reads && head.identity.role == net::Role::kReader)) {
    return PlainReply(403, fmt::format("the role {} may not {} secrets",
                                       net::Name(head.identity.role), place->verb));
  }
  const auto type = head.headers.find("content-type");
  if (type == head.headers.end() || type->second != kLiveContentType)
    return PlainReply(415, std::string("send ") + kLiveContentType);
  net::Route route;
  route.name = place->verb;
  route.max_body = kMaxLiveBody;
  route.lane = place->verb == "put" ? 1 : 0;
  route.handle = [this, place = *place](net::Received&& request) {
    return Answer(place, std::move(request));
  };
  return route;
}

Reply LiveApi::Answer(const Place& place, net::Received&& request) {
  In in(request.body.view());
  mirror::Stamp stamp;
  std::vector<store::Write> writes;
  std::optional<store::SecretName> name;
  if (place.verb == "put") {
    stamp = in.Make<mirror::Stamp>();
    writes = in.Make<std::vector<store::Write>>();
  } else if (place.verb == "get") {
    name = in.Make<store::SecretName>();
  }
  if (auto whole = in.reader().Finish("request"); !whole.ok())
    return PlainReply(400, whole.error().message());
  Fronts::Taken front = fronts_.Take(place.ns, place.device);
  Reply reply;
  reply.content_type = kLiveContentType;
  reply.body = place.verb == "put"   ? Encode(front->Put(stamp, std::move(writes)))
               : place.verb == "get" ? Encode(front->Get(*name))
                                     : Encode(front->TakeStamp());
  return reply;
}

Result<SecretBytes> LiveClient::Ask(const std::string& verb, SecretBytes body) {
  net::Request request;
  request.method = "POST";
  request.path = path_ + verb;
  request.content_type = kLiveContentType;
  request.body = std::move(body);
  request.deadline = clock_.Now() + patience_;
  request.max_answer_bytes = kMaxLiveBody;
  auto called = transport_.Call(manager_, std::move(request));
  // Another manager may have a certificate that is believed.
  if (called.Is(ErrorCode::kAuthFailed))
    return Error(ErrorCode::kUnavailable, called.error().message());
  if (!called.ok()) return called.error();
  net::Answer answer = *std::move(called);
  if (answer.status == 200 && answer.content_type == kLiveContentType)
    return std::move(answer.body);
  const std::string message =
      fmt::format("the manager answered {}: {}", answer.status, net::ShownBody(answer));
  if (answer.status == 403) return Error(ErrorCode::kAuthFailed, message);
  // Of the device or of whoever is there, never of a secret.
  if (answer.status == 404 || answer.status == 429 || answer.status == 503)
    return Error(ErrorCode::kUnavailable, message);
  if (answer.status < 500) return Error(ErrorCode::kInvalid, message);
  return Error(ErrorCode::kInDoubt, message);
}

Result<mirror::Stamp> LiveClient::TakeStamp() {
  auto answer = Ask("stamp", {});
  if (answer.Is(ErrorCode::kInDoubt))
    return Error(ErrorCode::kUnavailable, answer.error().message());
  if (!answer.ok()) return answer.error();
  return Decode<mirror::Stamp>(*answer);
}

Result<std::vector<Result<Acknowledged>>> LiveClient::Put(const mirror::Stamp& stamp,
                                                          const std::vector<store::Write>& writes) {
  Out out;
  out(stamp, writes);
  HSM_TRY(const SecretBytes answer, Ask("put", std::move(out).Take()));
  return Decode<std::vector<Result<Acknowledged>>>(answer);
}

Result<Served> LiveClient::Get(const store::SecretName& name) {
  Out out;
  out(name);
  auto answer = Ask("get", std::move(out).Take());
  if (answer.Is(ErrorCode::kInDoubt))
    return Error(ErrorCode::kUnavailable, answer.error().message());
  if (!answer.ok()) return answer.error();
  return Decode<Served>(*answer);
}

}  // namespace hsmops::manager
