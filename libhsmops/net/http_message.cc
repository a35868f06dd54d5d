#include "libhsmops/net/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace hsmops::net {
namespace {

// RFC 9110 §15, those that are likely here; a client goes by the number.
std::string_view Reason(int status) {
  static const std::map<int, std::string_view> kReasons = {{200, "OK"},
                                                           {201, "Created"},
                                                           {202, "Accepted"},
                                                           {204, "No Content"},
                                                           {400, "Bad Request"},
                                                           {401, "Unauthorized"},
                                                           {403, "Forbidden"},
                                                           {404, "Not Found"},
                                                           {405, "Method Not Allowed"},
                                                           {409, "Conflict"},
                                                           {412, "Precondition Failed"},
                                                           {413, "Content Too Large"},
                                                           {415, "Unsupported Media Type"},
                                                           {417, "Expectation Failed"},
                                                           {421, "Misdirected Request"},
                                                           {422, "Unprocessable Content"},
                                                           {429, "Too Many Requests"},
                                                           {431, "Request Header Fields Too Large"},
                                                           {500, "Internal Server Error"},
                                                           {501, "Not Implemented"},
                                                           {503, "Service Unavailable"}};
  const auto found = kReasons.find(status);
  return found == kReasons.end() ? "Other" : found->second;
}

// Nobody ends a field, and begins another, from within a value.
std::string FieldValue(std::string text) {
  std::ranges::replace_if(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

Reply PlainReply(int status, std::string_view text, std::optional<base::Duration> retry_after) {
  Reply reply{status, "text/plain; charset=utf-8", {}, retry_after, {}};
  reply.body.reserve(text.size() + 1);
  reply.body.Append(base::AsBytes(text));
  reply.body.Append('\n');
  return reply;
}

std::string EncodeHead(const Reply& reply, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", reply.status, Reason(reply.status));
  const auto add = [out = std::back_inserter(head)](std::string_view name,
                                                    const std::string& value) {
    fmt::format_to(out, "{}: {}\r\n", name, FieldValue(value));
  };
  if (!reply.content_type.empty()) add("Content-Type", reply.content_type);
  // RFC 9110 §8.6: a 204 has none.
  if (reply.status != 204) add("Content-Length", std::to_string(reply.body.size()));
  if (reply.retry_after) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*reply.retry_after).count();
    add("Retry-After", std::to_string(std::max<std::int64_t>(1, seconds)));
  }
  for (const auto& [name, value] : reply.headers) add(name, value);
  add("Cache-Control", "no-store");
  add("Connection", keep_alive ? "keep-alive" : "close");
  return head + "\r\n";
}

}  // namespace hsmops::net
