#include "test/sim/seams.h"

#include <algorithm>

#include "libhsmops/base/check.h"

namespace hsmops::sim {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kRefusalTime{1};
constexpr std::chrono::milliseconds kNoConnectionTime{1000};

Error Dead() { return {ErrorCode::kUnavailable, "this process was killed"}; }

}  // namespace

// --- time ----------------------------------------------------------------------------------------

Duration SimClock::Elapsed() const {
  const Time now = scheduler_.now();
  Duration still = stood_;
  if (now > still_from_) still += std::min(now, still_until_) - still_from_;
  return Duration(static_cast<std::int64_t>(static_cast<double>((now - still).count()) * rate_));
}

base::TimePoint SimClock::Now() const { return {since_boot_ + Elapsed()}; }

base::WallTime SimClock::Wall() const {
  return base::WallTime(std::chrono::seconds(kBeginOfRun)) +
         std::chrono::duration_cast<std::chrono::microseconds>(scheduler_.now() + wall_offset_);
}

Time SimClock::When(base::TimePoint point) const {
  const Duration left = point - Now();
  if (left <= Duration(0)) return scheduler_.now();
  const Duration still = std::max(still_until_ - scheduler_.now(), Duration(0));
  return scheduler_.now() + still +
         Duration(static_cast<std::int64_t>(static_cast<double>(left.count()) / rate_)) +
         Duration(1);
}

void SimClock::SleepFor(Duration duration) {
  if (duration <= Duration(0)) return;
  scheduler_.SleepUntil(When(Now() + duration));
}

void SimClock::StandStill(Duration lasting) {
  const Time now = scheduler_.now();
  if (now > still_from_) stood_ += std::min(now, still_until_) - still_from_;
  still_from_ = now;
  still_until_ = now + lasting;
}

// --- threads -------------------------------------------------------------------------------------

void SimMonitor::lock() {
  while (locked_) {
    lockers_.push_back(scheduler_.current());
    scheduler_.Block();
  }
  locked_ = true;
}

void SimMonitor::unlock() {
  HSM_CHECK(locked_);
  locked_ = false;
  WakeAll(lockers_);
}

void SimMonitor::Wait() {
  const std::uint64_t told = told_;
  unlock();
  while (told == told_) {
    waiters_.push_back(scheduler_.current());
    scheduler_.Block();
  }
  lock();
}

void SimMonitor::NotifyAll() {
  ++told_;
  WakeAll(waiters_);
}

void SimMonitor::WakeAll(std::vector<Fibre*>& fibres) {
  const std::vector<Fibre*> all = std::exchange(fibres, {});
  for (Fibre* fibre : all) scheduler_.Wake(fibre);
}

void SimExecutor::RunAll(std::vector<Task> tasks) {
  Fibre* self = scheduler_.current();
  std::size_t left = tasks.size();
  if (!scheduler_.in_order()) std::shuffle(tasks.begin(), tasks.end(), scheduler_.rng());
  for (Task& task : tasks) {
    scheduler_.Spawn(&process_, [this, self, &left, task = std::move(task)] {
      task();
      --left;
      scheduler_.Wake(self);
    });
  }
  while (left > 0) scheduler_.Block();
}

void SimExecutor::Start(Task task) { scheduler_.Spawn(&process_, std::move(task)); }

void SimRng::Fill(std::span<std::uint8_t> out) {
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(scheduler_.rng()());
}

// --- network -------------------------------------------------------------------------------------

void SimNetwork::Serve(const std::string& name, Process& process, Handler handler) {
  servers_[name] = {&process, process.life, std::make_shared<Handler>(std::move(handler))};
}

void SimNetwork::Heal(const Link& link) {
  links_.clear();
  usual_ = link;
}

Link SimNetwork::LinkBetween(const std::string& from, const std::string& to) const {
  const auto own = links_.find({from, to});
  return own == links_.end() ? usual_ : own->second;
}

Duration SimNetwork::TimeToLearn(const Link& cut) {
  if (cut.refuses) return kRefusalTime;
  return cut.connect_timeout > Duration(0) ? cut.connect_timeout : kNoConnectionTime;
}

Duration SimNetwork::DelayOf(const Link& link) {
  return link.delay + Duration(static_cast<std::int64_t>(
                          scheduler_.Below(static_cast<std::uint64_t>(link.jitter.count()) + 1)));
}

namespace {

std::string_view VerbOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// One call, shared by who waits for it and by what is on its way.
struct InFlight {
  Fibre* caller = nullptr;
  bool over = false;  // answered, or given up
  Result<net::Answer> answer = Error(ErrorCode::kInDoubt, "no answer in time");
};

}  // namespace

Result<net::Answer> SimNetwork::Call(const std::string& from, const net::Identity& identity,
                                     const SimClock& clock, const net::Peer& peer,
                                     net::Request request) {
  if (scheduler_.dead()) return Dead();
  HSM_RETURN_IF_ERROR(net::Check(peer, request));
  const std::string to = peer.url.substr(std::string("https://").size());
  auto call = std::make_shared<InFlight>();
  call->caller = scheduler_.current();
  const auto finish = [this, call](Result<net::Answer> answer) {
    if (call->over) return;
    call->over = true;
    call->answer = std::move(answer);
    scheduler_.Wake(call->caller);
  };
  const Duration longer = post_ ? post_({from, to, VerbOf(request.path)}) : Duration(0);
  const auto deliver = [this, call, finish, from, to, identity,
                        request = std::make_shared<net::Request>(std::move(request))] {
    const auto server = servers_.find(to);
    if (server == servers_.end() || !server->second.process->running ||
        server->second.life != server->second.process->life) {
      const Link back = LinkBetween(to, from);
      if (back.cut) return;  // nobody to refuse it
      scheduler_.At(scheduler_.now() + kRefusalTime,
                    [finish] { finish(Error(ErrorCode::kUnavailable, "connection refused")); });
      return;
    }
    scheduler_.Spawn(server->second.process, [this, call, finish, from, to, identity, request,
                                              handler = server->second.handler] {
      net::Received received;
      received.method = request->method;
      received.target = request->path;
      received.identity = identity;
      received.remote = from;
      received.headers["content-type"] = request->content_type;
      received.body = request->body.Clone();
      net::Reply reply = (*handler)(std::move(received));
      if (scheduler_.dead()) return;  // its answer died with it
      if (witness_) witness_({from, to, VerbOf(request->path)});
      const Link back = LinkBetween(to, from);
      if (back.cut || scheduler_.Chance(back.loss)) return;
      auto answer = std::make_shared<net::Answer>();
      answer->status = reply.status;
      answer->body = std::move(reply.body);
      answer->content_type = reply.content_type;
      answer->retry_after = reply.retry_after;
      scheduler_.At(scheduler_.now() + DelayOf(back),
                    [finish, answer] { finish(std::move(*answer)); });
    });
  };
  const Link there = LinkBetween(from, to);
  if (!there.cut && !scheduler_.Chance(there.loss)) {
    scheduler_.At(scheduler_.now() + longer + DelayOf(there), deliver);
    if (scheduler_.Chance(there.twice))
      scheduler_.At(scheduler_.now() + DelayOf(there) + DelayOf(there), deliver);
  } else if (there.refuses || there.connect_timeout > Duration(0) || scheduler_.Chance(0.5)) {
    // No connection was made, and the caller learns so.
    scheduler_.At(scheduler_.now() + TimeToLearn(there),
                  [finish] { finish(Error(ErrorCode::kUnavailable, "no connection")); });
  }
  scheduler_.At(clock.When(request.deadline),
                [finish] { finish(Error(ErrorCode::kInDoubt, "no answer in time")); });
  while (!call->over && !scheduler_.dead()) scheduler_.Block();
  call->over = true;
  if (scheduler_.dead()) return Dead();
  return std::move(call->answer);
}

// --- resources -----------------------------------------------------------------------------------

void SimResources::Travel() {
  if (scheduler_.current() == nullptr) return;
  scheduler_.SleepUntil(scheduler_.now() + faults.delay +
                        Duration(static_cast<std::int64_t>(scheduler_.Below(
                            static_cast<std::uint64_t>(faults.jitter.count()) + 1))));
}

Result<void> SimResources::Look() {
  Travel();
  if (scheduler_.dead()) return Dead();
  if (faults.cut || scheduler_.Chance(faults.refused))
    return Error(ErrorCode::kUnavailable, "the resource store does not answer");
  return {};
}

template <typename T>
Result<T> SimResources::Write(const std::function<Result<T>()>& effect) {
  HSM_RETURN_IF_ERROR(Look());
  const Error doubt(ErrorCode::kInDoubt, "the resource store's answer was lost");
  if (scheduler_.Chance(faults.lost_before)) return doubt;
  Result<T> done = effect();
  ++writes_;
  Travel();
  if (scheduler_.dead()) return Dead();
  if (scheduler_.Chance(faults.lost_after)) return doubt;
  return done;
}

Result<cluster::Object> SimResources::Get(cluster::Kind kind, std::string_view ns,
                                          std::string_view name) {
  HSM_RETURN_IF_ERROR(Look());
  const cluster::ObjectKey key{kind, std::string(ns), std::string(name)};
  const auto cached = cache_.find(key);
  if (cached != cache_.end() && scheduler_.Chance(faults.stale)) return cached->second;
  return Fetch(key);
}
Result<cluster::Object> SimResources::GetLatest(cluster::Kind kind, std::string_view ns,
                                                std::string_view name) {
  HSM_RETURN_IF_ERROR(Look());
  return Fetch({kind, std::string(ns), std::string(name)});
}
Result<cluster::Object> SimResources::Fetch(const cluster::ObjectKey& key) {
  auto got = shared_.Get(key.kind, key.ns, key.name);
  if (got.ok()) cache_.insert_or_assign(key, *got);
  Travel();
  return got;
}
Result<cluster::ObjectList> SimResources::List(cluster::Kind kind, std::string_view ns) {
  HSM_RETURN_IF_ERROR(Look());
  auto got = shared_.List(kind, ns);
  Travel();
  return got;
}
Result<cluster::Object> SimResources::Create(const cluster::Object& object) {
  return Write<cluster::Object>([&] { return shared_.Create(object); });
}
Result<cluster::Object> SimResources::Update(const cluster::Object& object,
                                             std::string_view expected) {
  return Write<cluster::Object>([&] { return shared_.Update(object, expected); });
}
Result<cluster::Object> SimResources::UpdateStatus(const cluster::Object& object,
                                                   std::string_view expected) {
  return Write<cluster::Object>([&] { return shared_.UpdateStatus(object, expected); });
}
Result<void> SimResources::Delete(cluster::Kind kind, std::string_view ns, std::string_view name,
                                  std::optional<std::string_view> expected) {
  return Write<void>([&] { return shared_.Delete(kind, ns, name, expected); });
}
Result<std::unique_ptr<cluster::Watch>> SimResources::OpenWatch(cluster::Kind, std::string_view,
                                                                std::string_view) {
  return Error(ErrorCode::kUnavailable, "nobody watches in the simulator");
}

}  // namespace hsmops::sim
