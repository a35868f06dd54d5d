#include "libhsmops/kube/kube_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/api_object.h"
#include "libhsmops/kube/json_fields.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using cluster::Change;
using cluster::ChangeType;
using cluster::Kind;
using cluster::Object;
using nlohmann::json;

namespace {

// The server ends a stream by itself then, and it is asked anew; one that it has not ended a while
// later hangs.
constexpr std::chrono::seconds kStreamTime{290};
constexpr std::chrono::seconds kOverdue{15};
// So that a server that ends each at once is not asked without a pause.
constexpr std::chrono::milliseconds kBetweenStreams{100};

// A version of etcd's, which the API lets be compared from 1.35 on and which always were numbers.
std::optional<std::uint64_t> NumberOf(const std::string& version) {
  std::uint64_t number = 0;
  const char* const end = version.data() + version.size();
  const auto [at, error] = std::from_chars(version.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

}  // namespace

Result<std::unique_ptr<cluster::Watch>> KubeWatch::Open(KubeResourceStore& store, Kind kind,
                                                        std::string_view ns,
                                                        std::string_view from) {
  std::unique_ptr<KubeWatch> watch(new KubeWatch(store, kind, ns));
  watch->version_ = from;
  if (from.empty()) {
    HSM_TRY(cluster::ObjectList list, store.List(kind, ns));
    watch->version_ = std::move(list.version);
    for (Object& object : list.items)
      watch->pending_.push_back({ChangeType::kAdded, std::move(object)});
  }
  return std::unique_ptr<cluster::Watch>(std::move(watch));
}

void KubeWatch::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  if (stream_) stream_->Stop();
}

Result<void> KubeWatch::Connect() {
  if (resumes_) {
    HSM_TRY(const bool older, RecordIsOlder());
    resumes_ = false;
    if (older) return Resync();
  }
  const std::string path =
      fmt::format("{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
                  PathOf(kind_, ns_), kStreamTime.count(), version_);
  const base::TimePoint deadline = store_.clock_.Now() + store_.timeout_;
  HSM_TRY(std::shared_ptr<RestStream> stream,
          store_.client_->Stream(path, deadline, AcceptFor(kind_, false)));
  if (!IsSuccess(stream->status())) {
    RestAnswer refusal;
    refusal.status = stream->status();
    if (auto line = stream->Next(deadline); line.ok() && *line) refusal.body = **std::move(line);
    if (IsExpired(refusal.status)) return Resync();
    return ErrorOf(refusal, {"watch", ResourceOf(kind_), ns_, ""});
  }
  const std::lock_guard lock(mutex_);
  stream_ = std::move(stream);
  stream_until_ = store_.clock_.Now() + kStreamTime + kOverdue;
  if (stopped_) stream_->Stop();
  return {};
}

// After a restore from a backup the record counts from an older version again, and a watch from
// ours would tell of nothing until that is reached once more, which may be hours.
Result<bool> KubeWatch::RecordIsOlder() {
  HSM_TRY(const auto page, store_.ReadPage(kind_, ns_, ""));
  const auto theirs = NumberOf(page.version);
  const auto ours = NumberOf(version_);
  return theirs && ours && *theirs < *ours;
}

// The position is taken before anybody lists: what changes after that list is told.
Result<void> KubeWatch::Resync() {
  HSM_TRY(auto page, store_.ReadPage(kind_, ns_, ""));
  version_ = std::move(page.version);
  pending_.push_back({ChangeType::kResync, std::nullopt});
  return {};
}

Result<std::optional<Change>> KubeWatch::Next(base::TimePoint deadline) {
  for (;;) {
    if (!pending_.empty()) {
      Change change = std::move(pending_.front());
      pending_.pop_front();
      return std::optional(std::move(change));
    }
    std::shared_ptr<RestStream> stream;
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return std::optional<Change>();
      stream = stream_;
    }
    if (!stream) {
      HSM_RETURN_IF_ERROR(Connect());
      continue;
    }
    auto line = stream->Next(std::min(deadline, stream_until_));
    const bool hangs = line.ok() && !*line && store_.clock_.Now() >= stream_until_;
    if (hangs) stream->Stop();
    if (!line.ok() || hangs) {  // it has ended: the next one goes on from where this one was
      {
        const std::lock_guard lock(mutex_);
        stream_.reset();
      }
      resumes_ = true;
      if (store_.clock_.Now() >= deadline) return std::optional<Change>();
      store_.clock_.SleepFor(kBetweenStreams);
      continue;
    }
    if (!*line) return std::optional<Change>();
    HSM_RETURN_IF_ERROR(Take(**line));
  }
}

Result<void> KubeWatch::Take(const SecretBytes& line) {
  json event = ParseBody(line);
  if (!event.is_object() || !event["object"].is_object())
    return Error(ErrorCode::kCorrupt, "the API server's watch said what is no event");
  json& document = event["object"];
  const std::string type = TextAt(event, "type");
  if (type == "ERROR") return TakeError(NumberAt(document, "code"), TextAt(document, "message"));
  const std::string version = TextAt(ObjectAt(document, "metadata"), "resourceVersion");
  if (!version.empty()) version_ = version;
  if (type == "BOOKMARK") return {};
  HSM_TRY(Object object, ObjectOf(kind_, std::move(document)));
  const ChangeType change = type == "ADDED"     ? ChangeType::kAdded
                            : type == "DELETED" ? ChangeType::kDeleted
                                                : ChangeType::kModified;
  pending_.push_back({change, std::move(object)});
  return {};
}

Result<void> KubeWatch::TakeError(int code, const std::string& message) {
  {
    const std::lock_guard lock(mutex_);
    stream_.reset();
  }
  if (IsExpired(code)) return Resync();
  resumes_ = true;
  return Error(ErrorCode::kUnavailable,
               fmt::format("the API server ended a watch: {} {}", code, base::Printable(message)));
}

}  // namespace hsmops::kube
