// What is asked to be read again while it is being read.
#include <doctest/doctest.h>
#include <poll.h>

#include "libhsmops/manager/operation_log.h"
#include "test/unit/manager/held_request.h"

namespace hsmops::manager {

TEST_CASE("who asks for everything to be read again is not told what was read before") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", std::string(3000, 'x')).ok());
  w.EditMirroring([](cluster::MirroringSpec& m) {
    m.sync_interval = std::chrono::seconds(1);
    m.verify_interval = std::chrono::seconds(1);
  });
  HeldRequest verification{"b", agent::Verb::kVerify};
  HeldWorld held(w, verification);
  {
    Controller leader(held.world, "default", "d");
    const auto turn = [&] {
      w.Grant();
      w.TurnsOf(leader, 1);
      poll(nullptr, 0, 20);
    };
    for (int i = 0; i < 10 && verification.waiting == 0; ++i) turn();
    CHECK(verification.waiting == 1);  // the one that is due by itself has read all of b
    for (const std::string& label : w.pool.token("b").Labels()) {
      if (label.starts_with("k1.p.") && label.ends_with(".0")) w.pool.token("b").Corrupt(label, 5);
    }
    w.EditMirroring([](cluster::MirroringSpec& m) { m.verify_interval = std::chrono::hours(24); });
    cluster::HSMOperationSpec verify;
    verify.type = cluster::OperationType::kVerify;
    w.pool.Ask("verify", verify);
    turn();
    turn();
    verification.held = false;
    for (int i = 0; i < 10 && !w.pool.Operation("verify").Finished(); ++i) turn();
    verification.held = false;
  }
  const auto verify = w.pool.Operation("verify");
  REQUIRE(verify.Finished());
  CHECK(verify.status.result == "Done");
  CHECK_MESSAGE(w.pool.member("b").Read(*store::SecretName::Parse("app"), false).ok(),
                verify.status.message);
}

}  // namespace hsmops::manager
