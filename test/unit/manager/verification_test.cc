// What is asked to be read again while it is being read.
#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>

#include "libhsmops/manager/operation_log.h"
#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

using base::Result;

// The answer of b's verification is on its way for as long as `held`.
class SlowAnswer : public agent::Channel {
 public:
  SlowAnswer(ManagedPool& w, std::string node, std::atomic<bool>& held, std::atomic<int>& waiting)
      : w_(w), node_(std::move(node)), held_(held), waiting_(waiting) {}
  Result<base::SecretBytes> Call(base::SecretBytes request) override {
    base::SecretBytes answer = agent::Serve(w_.pool.member(node_), request.view());
    if (node_ == "b" && request.view()[0] == static_cast<std::uint8_t>(agent::Verb::kVerify)) {
      ++waiting_;
      while (held_) poll(nullptr, 0, 1);
      --waiting_;
    }
    return answer;
  }

 private:
  ManagedPool& w_;
  const std::string node_;
  std::atomic<bool>& held_;
  std::atomic<int>& waiting_;
};

}  // namespace

TEST_CASE("who asks for everything to be read again is not told what was read before") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", std::string(3000, 'x')).ok());
  w.EditMirroring([](cluster::MirroringSpec& m) {
    m.sync_interval = std::chrono::seconds(1);
    m.verify_interval = std::chrono::seconds(1);
  });
  std::atomic<bool> held{true};
  std::atomic<int> waiting{0};
  base::ThreadExecutor executor;
  World& inner = w.pool.world();
  World world{
      inner.resources, inner.clock, inner.rng, executor,
      [&](const std::string& node, const std::string&, const store::Uid&, const store::Uid&) {
        return std::make_unique<agent::Client>(
            std::make_unique<SlowAnswer>(w, node, held, waiting));
      }};
  {
    Controller leader(world, "default", "d");
    const auto turn = [&] {
      w.Grant();
      w.TurnsOf(leader, 1);
      poll(nullptr, 0, 20);
    };
    for (int i = 0; i < 10 && waiting == 0; ++i) turn();
    CHECK(waiting == 1);  // the one that is due by itself has read all of b
    for (const std::string& label : w.pool.token("b").Labels()) {
      if (label.starts_with("k1.p.") && label.ends_with(".0")) w.pool.token("b").Corrupt(label, 5);
    }
    w.EditMirroring([](cluster::MirroringSpec& m) { m.verify_interval = std::chrono::hours(24); });
    cluster::HSMOperationSpec verify;
    verify.type = cluster::OperationType::kVerify;
    w.pool.Ask("verify", verify);
    turn();
    turn();
    held = false;
    for (int i = 0; i < 10 && !w.pool.Operation("verify").Finished(); ++i) turn();
    held = false;
  }
  const auto verify = w.pool.Operation("verify");
  REQUIRE(verify.Finished());
  CHECK(verify.status.result == "Done");
  CHECK_MESSAGE(w.pool.member("b").Read(*store::SecretName::Parse("app"), false).ok(),
                verify.status.message);
}

}  // namespace hsmops::manager
