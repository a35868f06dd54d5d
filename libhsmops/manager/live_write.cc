#include "libhsmops/manager/live_write.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/kube/secret_data.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

constexpr std::string_view kOptions[] = {
    "merge", "expect", "opId", "stamp", "dryRun", "fieldManager", "fieldValidation", "timeout"};

Result<void> CheckOptions(const LivePath& path) {
  for (const auto& [name, value] : path.query) {
    if (std::ranges::find(kOptions, name) == std::end(kOptions))
      return Error(ErrorCode::kInvalid,
                   fmt::format("there is no option {}", base::Printable(name)));
  }
  const std::string merge = path.At("merge");
  if (!merge.empty() && merge != "true" && merge != "false")
    return Error(ErrorCode::kInvalid, "merge is true or false");
  if (const std::string dry_run = path.At("dryRun"); !dry_run.empty() && dry_run != "All")
    return Error(ErrorCode::kInvalid, "dryRun is All");
  return {};
}

// A whole number that is all of the text.
template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Of a PUT: the object whose keys it brings, under its own name or none.
Result<std::string> TakeObject(const LivePath& path, base::ByteView body, store::Write& write) {
  HSM_TRY(kube::Parted parted, kube::PartData(body));
  const std::string named = kube::TextIn(parted.document, "/metadata/name");
  if (!named.empty() && named != path.name)
    return Error(ErrorCode::kInvalid, fmt::format("metadata.name {} is not that of the request, {}",
                                                  base::Printable(named), path.name));
  write.keys = std::move(parted.keys);
  if (write.keys.empty() && !write.merge)
    return Error(ErrorCode::kInvalid, "data has no keys; DELETE removes a secret");
  return kube::TextIn(parted.document, "/metadata/resourceVersion");
}

// Of a DELETE: meta.k8s.io/v1 DeleteOptions, or nothing.
Result<std::string> TakeOptions(base::ByteView body, bool& dry_run) {
  if (body.empty()) return std::string();
  const json options = kube::ParseBody(body);
  if (!options.is_object())
    return Error(ErrorCode::kInvalid, "the body of a DELETE is DeleteOptions, or nothing");
  const json runs = options.value("dryRun", json::array());
  dry_run = dry_run || (runs.is_array() && !runs.empty());
  return kube::TextIn(options, "/preconditions/resourceVersion");
}

}  // namespace

std::string StampText(const mirror::Stamp& stamp) {
  return fmt::format("{}.{}", stamp.run, stamp.at.count());
}

Result<mirror::Stamp> ParseStamp(const std::string& text) {
  const std::size_t dot = text.find('.');
  mirror::Stamp stamp;
  base::Duration::rep at = 0;
  if (dot == std::string::npos || !ParseNumber(text.substr(0, dot), stamp.run) ||
      !ParseNumber(text.substr(dot + 1), at) || at < 0)
    return Error(ErrorCode::kInvalid, "stamp is not what dryRun=All answers in status.stamp");
  stamp.at = base::Duration(at);
  return stamp;
}

Result<LiveWrite> ParseLiveWrite(const LivePath& path, const store::SecretName& name, bool removes,
                                 base::ByteView body) {
  HSM_RETURN_IF_ERROR(CheckOptions(path));
  LiveWrite asked{{name, {}, removes, path.At("merge") == "true", {}, {}}, false, {}, false};
  asked.dry_run = !path.At("dryRun").empty();
  if (removes && asked.write.merge) return Error(ErrorCode::kInvalid, "merge goes with PUT");
  HSM_TRY(std::string version,
          removes ? TakeOptions(body, asked.dry_run) : TakeObject(path, body, asked.write));
  if (const std::string expect = path.At("expect"); !expect.empty()) {
    if (!version.empty() && version != expect)
      return Error(ErrorCode::kInvalid, "expect and resourceVersion name different versions");
    version = expect;
  }
  if (!version.empty()) {
    HSM_TRY(asked.write.expect, store::Expectation::Parse(version).Within("expect"));
  }
  if (const std::string op_id = path.At("opId"); !op_id.empty()) {
    HSM_TRY(asked.write.op_id, store::ParseOpId(op_id).Within("opId"));
    asked.has_op_id = true;
  }
  if (const std::string stamp = path.At("stamp"); !stamp.empty()) {
    HSM_TRY(asked.stamp, ParseStamp(stamp));
  }
  return asked;
}

}  // namespace hsmops::manager
