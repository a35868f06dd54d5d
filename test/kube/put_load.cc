#include "test/kube/put_load.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <charconv>

namespace hsmops::test {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenPuts{50};
constexpr std::chrono::seconds kComes{40};
constexpr int kInDoubt = 6;

std::string PathOf(std::size_t name) { return fmt::format("load/{}", name); }

}  // namespace

PutLoad::PutLoad(KubeCluster& cluster)
    : cluster_(cluster), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void PutLoad::Run(const std::stop_token& stop) {
  for (int number = 0; !stop.stop_requested(); ++number) {
    PutNext(number);
    std::this_thread::sleep_for(kBetweenPuts);
  }
}

void PutLoad::PutNext(int number) {
  const std::size_t at = static_cast<std::size_t>(number) % names_.size();
  const Ended put = cluster_.HsmWith(
      std::to_string(number),
      {"--timeout", "5s", "--device", "payments", "put", PathOf(at), "--stdin-key", "n"});
  const std::lock_guard lock(mutex_);
  if (put.code == 0) {
    names_[at].last = number;
    ++acknowledged_;
  } else if (put.code == kInDoubt) {
    names_[at].doubtful.insert(number);
    ++doubtful_;
  } else {
    ++refused_;
  }
}

int PutLoad::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

bool PutLoad::Acknowledges(int more) const {
  const int wanted = acknowledged() + more;
  const auto limit = steady_clock::now() + kComes;
  while (acknowledged() < wanted) {
    if (steady_clock::now() >= limit) return false;
    std::this_thread::sleep_for(kBetweenPuts);
  }
  return true;
}

void PutLoad::End() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

std::string PutLoad::Wrong() {
  End();
  MESSAGE("puts: ", acknowledged_, " acknowledged, ", doubtful_, " in doubt, ", refused_,
          " refused");
  std::string wrong;
  for (std::size_t at = 0; at < names_.size(); ++at) {
    const Name& name = names_[at];
    if (name.last < 0) continue;
    const Ended get = cluster_.Hsm({"get", PathOf(at), "--key", "n", "--raw"}, "owner");
    int there = -1;
    std::from_chars(get.out.data(), get.out.data() + get.out.size(), there);
    if (get.code == 0 && (there == name.last || name.doubtful.contains(there))) continue;
    wrong += fmt::format("{}: {} was acknowledged last, and get says {}: {}{}\n", PathOf(at),
                         name.last, get.code, get.out, get.err);
  }
  return wrong;
}

}  // namespace hsmops::test
