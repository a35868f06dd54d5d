#include "libhsmops/manager/live_service.h"

#include <fmt/format.h>

#include <algorithm>

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using mirror::Acknowledged;

namespace {

// Of values in one request, well below kMaxLiveBody.
constexpr std::size_t kMaxBatchBytes = std::size_t{8} << 20;

// Who refused, and why: managers that say the same are told together.
class Refusals {
 public:
  void Add(const std::string& who, const std::string& why) {
    const auto same = std::ranges::find(said_, why, &Said::why);
    if (same == said_.end()) {
      said_.push_back({who, why});
    } else {
      same->who += ", " + who;
    }
  }
  std::string Text() const {
    std::string text;
    for (const Said& said : said_)
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", said.who, said.why);
    return text;
  }

 private:
  struct Said {
    std::string who;
    std::string why;
  };
  std::vector<Said> said_;
};

std::size_t BytesOf(const store::Write& write) {
  std::size_t bytes = write.name.text().size();
  for (const auto& [key, value] : write.keys) bytes += key.size() + value.size();
  return bytes;
}

}  // namespace

Result<LiveClient> LiveService::Client(const Replica& replica) {
  HSM_TRY(net::SpiffeId id,
          net::Identity{target_.pool, net::Role::kManager, replica.name}.Id().Within(replica.url));
  return LiveClient(transport_, {replica.url, std::move(id)}, clock_, target_.ns, target_.device,
                    std::max(deadline_ - clock_.Now(), base::Duration(1)));
}

template <typename T, typename Ask>
Result<T> LiveService::AskAny(const Ask& ask) {
  Refusals heard;
  for (std::size_t i = 0; i < target_.replicas.size() && (i == 0 || !Over()); ++i) {
    const Replica replica = target_.replicas[i];
    auto client = Client(replica);
    Result<T> answer = client.ok() ? ask(*client) : Result<T>(client.error());
    if (answer.ok() || !Passing(answer.error().code())) {
      std::rotate(target_.replicas.begin(),
                  target_.replicas.begin() + static_cast<std::ptrdiff_t>(i),
                  target_.replicas.end());
      return answer;
    }
    heard.Add(replica.name, answer.error().message());
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("no manager could do it: {}. kubectl hsm health says what is wrong; "
                           "where managers run, their --url must be reached from here",
                           heard.Text()));
}

Result<Served> LiveService::Get(const store::SecretName& name) {
  return AskAny<Served>([&](LiveClient& client) { return client.Get(name); });
}

Result<mirror::Stamp> LiveService::FreshStamp() {
  const base::TimePoint now = clock_.Now();
  if (stamp_ && now - stamped_ < mirror::kFreshStamp / 2) return *stamp_;
  HSM_TRY(stamp_, AskAny<mirror::Stamp>([](LiveClient& client) { return client.TakeStamp(); }));
  stamped_ = now;
  return *stamp_;
}

Result<void> LiveService::Probe() {
  const auto stamp = FreshStamp();
  return stamp.ok() ? Result<void>() : stamp.error();
}

std::vector<SendWrites> LiveService::Ways(const mirror::Stamp& stamp) {
  std::vector<SendWrites> ways;
  for (const Replica& replica : target_.replicas) {
    ways.push_back([this, stamp, replica](const std::vector<store::Write>& writes) {
      auto client = Client(replica);
      return client.ok() ? client->Put(stamp, writes)
                         : Result<std::vector<Result<Acknowledged>>>(client.error());
    });
  }
  return ways;
}

std::vector<Result<Acknowledged>> LiveService::Put(std::vector<store::Write> writes,
                                                   const mirror::Progress& progress) {
  std::vector<Result<Acknowledged>> results;
  for (std::size_t at = 0; at < writes.size();) {
    std::vector<store::Write> some;
    for (std::size_t bytes = 0; at < writes.size() && some.size() < mirror::kMaxPut; ++at) {
      bytes += BytesOf(writes[at]);
      if (!some.empty() && bytes > kMaxBatchBytes) break;
      some.push_back(std::move(writes[at]));
    }
    const auto stamp = FreshStamp();
    if (!stamp.ok()) {
      while (results.size() < writes.size())
        results.emplace_back(stamp.error().Within("not tried"));
      break;
    }
    auto told = SettleWrites(std::move(some), Ways(*stamp), clock_, deadline_);
    std::move(told.begin(), told.end(), std::back_inserter(results));
    if (progress) progress(results.size(), writes.size());
  }
  return results;
}

}  // namespace hsmops::manager
