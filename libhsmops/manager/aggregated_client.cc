#include "libhsmops/manager/aggregated_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/kube/secret_data.h"
#include "libhsmops/manager/mirrored_secret.h"
#include "libhsmops/manager/write_settling.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using mirror::Acknowledged;
using nlohmann::json;

namespace {

constexpr std::size_t kAtOnce = 16;  // writes under way
constexpr int kTries = 12;           // of what may be asked again: half of the managers may be gone
constexpr std::chrono::milliseconds kPause{20};

// A manager says which of our errors it is; without that it is the API server who speaks.
std::optional<ErrorCode> CodeOf(const json& status) {
  const std::string name = kube::TextIn(status, "/details/causes/0/reason");
  if (kube::TextIn(status, "/details/group") != kLiveGroup) return std::nullopt;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (base::Name(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  }
  return std::nullopt;
}

// Of the API server, which reached no manager.
bool IsNotServed(const Result<kube::RestAnswer>& answer) {
  return answer.ok() && answer->status == 503 && !CodeOf(kube::ParseBody(answer->body.view()));
}

Error RefusalOf(const kube::RestAnswer& answer, const kube::ApiVerb& asked) {
  const json status = kube::ParseBody(answer.body.view());
  if (const auto code = CodeOf(status))
    return {*code, base::Printable(kube::TextIn(status, "/message"))};
  const std::string said = base::Printable(kube::TextIn(status, "/message"));
  const bool missing = answer.status == 404 && kube::TextIn(status, "/details/name").empty();
  if (missing || answer.status == 503) {
    return {
        asked.reads() || missing ? ErrorCode::kUnavailable : ErrorCode::kInDoubt,
        fmt::format("the live API {} is not served ({}{}{}); kubectl get apiservice {}.{} says why",
                    kLiveGroup, answer.status, said.empty() ? "" : ": ", said, kLiveVersion,
                    kLiveGroup)};
  }
  return kube::ErrorOf(answer, asked);
}

// It may be the API server's doing, and more likely is that of the manager that it chose.
Error NoAnswerIn(base::Duration time, const Error& error) {
  return {error.code(),
          fmt::format("the live API {} did not answer within {}: one of the managers "
                      "behind it, or the API server, may hang; the same command "
                      "again may find another",
                      kLiveGroup,
                      base::FormatDuration(std::chrono::round<std::chrono::milliseconds>(time)))};
}

Result<store::Version> VersionOf(const json& document) {
  const auto parsed = store::Expectation::Parse(kube::TextIn(document, "/status/version"));
  if (!parsed.ok() || parsed->absent)
    return Error(ErrorCode::kCorrupt, "the live API's answer holds no version");
  return store::Version{{parsed->counter, parsed->nonce.value_or(0)}, parsed->lsn};
}

kube::ApiVerb VerbFor(const char* verb, const char* resource, const std::string& ns,
                      const std::string& name) {
  const std::string_view full = resource;
  const std::size_t slash = full.find('/');
  std::string qualified = fmt::format("{}.{}", full.substr(0, slash), kLiveGroup);
  if (slash != std::string_view::npos) qualified += full.substr(slash);
  return {verb, std::move(qualified), ns, name};
}

std::string ValuePath(const std::string& device, const store::SecretName& name) {
  return fmt::format("mirroredsecrets/{}/value",
                     base::PercentEncoded(MirroredName(device, name.text()), ":-._~"));
}

}  // namespace

// The API server asks any of the managers' endpoints, also one whose manager is gone; what may be
// asked again finds another. A write is settled by its opId, by who asked for it.
AggregatedClient::Called AggregatedClient::Call(const Asked& asked) const {
  kube::RestRequest request;
  request.method = asked.method;
  request.path =
      fmt::format("/apis/{}/{}/namespaces/{}/{}", kLiveGroup, kLiveVersion, ns_, asked.path);
  request.body = asked.body.Clone();
  const base::TimePoint until = std::min(deadline_, clock_.Now() + timeout_);
  request.deadline = until;
  Called called{client_.Call(std::move(request)), false};
  called.in_vain = !called.answer.ok() && clock_.Now() >= until;
  return called;
}

// Another manager may be there, or answer.
bool AggregatedClient::AnotherMay(const Called& called) const {
  return IsNotServed(called.answer) || (called.in_vain && clock_.Now() < deadline_);
}

Result<SecretBytes> AggregatedClient::Ask(const Asked& asked) const {
  const base::TimePoint began = clock_.Now();
  Called called = Call(asked);
  const bool again = asked.verb.reads() || asked.dry;
  for (int tries = 1; tries < kTries && again && AnotherMay(called); ++tries) {
    clock_.SleepFor(kPause);
    called = Call(asked);
  }
  if (called.in_vain) return NoAnswerIn(clock_.Now() - began, called.answer.error());
  if (!called.answer.ok()) return called.answer.error();
  kube::RestAnswer answer = *std::move(called.answer);
  if (warned_) {
    for (const std::string& warning : answer.warnings) warned_(warning);
  }
  if (!kube::IsSuccess(answer.status)) return RefusalOf(answer, asked.verb);
  return std::move(answer.body);
}

Result<json> AggregatedClient::AskForJson(const Asked& asked) const {
  HSM_TRY(const SecretBytes body, Ask(asked));
  json document = kube::ParseBody(body.view());
  if (document.is_object()) return document;
  return Error(asked.verb.reads() ? ErrorCode::kCorrupt : ErrorCode::kInDoubt,
               "the live API's answer is no JSON object");
}

Result<std::vector<json>> AggregatedClient::List(const std::string& device) {
  Asked asked{VerbFor("list", "mirroredsecrets", ns_, ""), "mirroredsecrets"};
  if (!device.empty())
    asked.path += fmt::format("?labelSelector={}",
                              base::PercentEncoded(fmt::format("{}={}", kDeviceLabel, device), ""));
  HSM_TRY(json list, AskForJson(asked));
  if (!list.contains("items") || !list["items"].is_array())
    return Error(ErrorCode::kCorrupt, "the live API's answer is no list of mirroredsecrets");
  return std::move(list["items"].get_ref<json::array_t&>());
}

Result<json> AggregatedClient::Health(const std::string& device) {
  HSM_TRY(json health, AskForJson({VerbFor("get", "devicehealths", ns_, device),
                                   fmt::format("devicehealths/{}", device)}));
  health["apiVersion"] = cluster::ApiVersion(cluster::Kind::kHsmDevice);
  health["kind"] = cluster::Name(cluster::Kind::kHsmDevice);
  return health;
}

Result<json> AggregatedClient::Diff(const std::string& device, const std::string& left,
                                    const std::string& right) {
  return AskForJson(
      {VerbFor("get", "devicehealths/diff", ns_, device),
       fmt::format("devicehealths/{}/diff?left={}&right={}", device,
                   base::PercentEncoded(left, "-._~"), base::PercentEncoded(right, "-._~"))});
}

Result<SetAsideSearch> AggregatedClient::FindSetAside(const std::string& device,
                                                      const SetAsideFilter& filter) {
  std::string query;
  const auto add = [&query](const char* option, const std::string& value) {
    if (!value.empty())
      query += fmt::format("{}{}={}", query.empty() ? "?" : "&", option,
                           base::PercentEncoded(value, "-._~"));
  };
  add("name", filter.name);
  add("node", filter.node);
  add("version", filter.version);
  HSM_TRY(const json list,
          AskForJson({VerbFor("get", "devicehealths/divergence", ns_, device),
                      fmt::format("devicehealths/{}/divergence{}", device, query)}));
  return ParseSetAside(list);
}

Result<store::Secret> AggregatedClient::ReadSetAside(const std::string& device,
                                                     const SetAside& one) {
  HSM_TRY(const store::SecretName name, store::SecretName::Parse(one.item.name));
  HSM_TRY(Served served,
          ReadValue(device, name,
                    fmt::format("?node={}&version={}", one.node, one.item.version.Full())));
  if (!served.secret) return Error(ErrorCode::kCorrupt, "the live API's answer holds no secret");
  return *std::move(served.secret);
}

Result<Served> AggregatedClient::Get(const std::string& device, const store::SecretName& name) {
  return ReadValue(device, name, "");
}

Result<Served> AggregatedClient::ReadValue(const std::string& device, const store::SecretName& name,
                                           const std::string& query) const {
  HSM_TRY(const SecretBytes body,
          Ask({VerbFor("get", "mirroredsecrets/value", ns_, MirroredName(device, name.text())),
               ValuePath(device, name) + query}));
  auto parted = kube::PartData(body.view());
  if (!parted.ok()) return Error(ErrorCode::kCorrupt, parted.error().message());
  const json& document = parted->document;
  Served served;
  served.secret = store::Secret{name, {}, {}, {}, std::move(parted->keys)};
  HSM_TRY(served.secret->version, VersionOf(document));
  if (const auto written = base::ParseTime(kube::TextIn(document, "/status/writtenAt"));
      written.ok())
    served.secret->written_at = *written;
  served.node = kube::TextIn(document, "/status/servedFrom/nodeName");
  served.by_primary = kube::FlagIn(document, "/status/servedFrom/primary");
  served.in_sync_set = served.by_primary || kube::FlagIn(document, "/status/servedFrom/inSyncSet");
  served.why_not_primary = kube::TextIn(document, "/status/servedFrom/reason");
  served.certain = served.by_primary;
  return served;
}

AggregatedClient::Asked AggregatedClient::Write(const std::string& device,
                                                const store::Write& write) const {
  Asked asked{VerbFor(write.remove ? "delete" : "update", "mirroredsecrets/value", ns_,
                      MirroredName(device, write.name.text())),
              ValuePath(device, write.name), write.remove ? "DELETE" : "PUT"};
  asked.path += fmt::format("?opId={}", store::OpIdText(write.op_id));
  if (write.merge) asked.path += "&merge=true";
  if (write.expect) asked.path += "&expect=" + write.expect->ToString();
  if (!stamp_.empty()) asked.path += "&stamp=" + stamp_;
  if (!write.remove) {
    asked.body = kube::WithData({{"apiVersion", fmt::format("{}/{}", kLiveGroup, kLiveVersion)},
                                 {"kind", "MirroredSecret"}},
                                write.keys);
  }
  return asked;
}

// Says with no effect whether writes are taken, too: until it has, nothing is in doubt. Asked by
// the verb that is going to be used, which is what the client has a right to.
Result<void> AggregatedClient::FreshenStamp(const std::string& device,
                                            const store::SecretName& name, bool removes) {
  const base::TimePoint now = clock_.Now();
  if (!stamp_.empty() && now - stamped_ < mirror::kFreshStamp / 2) return {};
  const Asked asked{VerbFor(removes ? "delete" : "update", "mirroredsecrets/value", ns_,
                            MirroredName(device, name.text())),
                    ValuePath(device, name) + "?dryRun=All" + (removes ? "" : "&merge=true"),
                    removes ? "DELETE" : "PUT",
                    removes ? SecretBytes() : SecretBytes::FromText("{}"), true};
  auto answer = AskForJson(asked);
  if (answer.Is(ErrorCode::kInDoubt))
    return Error(ErrorCode::kUnavailable, answer.error().message());
  if (!answer.ok()) return answer.error();
  const std::string stamp = kube::TextIn(*answer, "/status/stamp");
  if (stamp.empty()) return Error(ErrorCode::kCorrupt, "the live API's answer holds no stamp");
  stamp_ = stamp;
  stamped_ = now;
  return {};
}

Result<void> AggregatedClient::Probe(const std::string& device) {
  HSM_TRY(const store::SecretName name, store::SecretName::Parse("probe"));
  return FreshenStamp(device, name, false);
}

Result<Acknowledged> AggregatedClient::PutOne(const std::string& device,
                                              const store::Write& write) const {
  HSM_TRY(const json document, AskForJson(Write(device, write)));
  Acknowledged acknowledged;
  auto version = VersionOf(document);
  if (!version.ok()) return Error(ErrorCode::kInDoubt, version.error().message());
  acknowledged.version = *version;
  acknowledged.repeated = kube::FlagIn(document, "/status/repeated");
  for (const json& member : kube::ItemsIn(document, "/status/devices"))
    acknowledged.nodes.push_back(kube::TextIn(member, "/nodeName"));
  return acknowledged;
}

std::vector<Result<Acknowledged>> AggregatedClient::Put(const std::string& device,
                                                        std::vector<store::Write> writes,
                                                        const mirror::Progress& progress) {
  std::vector<Result<Acknowledged>> results;
  while (results.size() < writes.size()) {
    const std::size_t first = results.size();
    const std::size_t some = std::min(kAtOnce, writes.size() - first);
    if (const auto fresh = FreshenStamp(device, writes[first].name, writes[first].remove);
        !fresh.ok()) {
      results.resize(writes.size(), fresh.error().Within("not tried"));
      break;
    }
    results.resize(first + some, Error(ErrorCode::kUnavailable, "not tried"));
    const SendWrites way = [&](const std::vector<store::Write>& one) {
      return Result<std::vector<Result<Acknowledged>>>({PutOne(device, one.front())});
    };
    std::vector<base::Executor::Task> tasks;
    for (std::size_t i = first; i < first + some; ++i) {
      tasks.push_back([&, i] {
        std::vector<store::Write> one;
        one.push_back(std::move(writes[i]));
        results[i] = SettleWrites(std::move(one), {way}, clock_, deadline_).front();
      });
    }
    executor_.RunAll(std::move(tasks));
    if (progress) progress(results.size(), writes.size());
  }
  return results;
}

}  // namespace hsmops::manager
