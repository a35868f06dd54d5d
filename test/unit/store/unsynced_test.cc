// What a failed barrier left in the page cache.
#include "test/unit/store/device.h"

namespace hsmops::test {

// Invariant A: a crash leaves the old or the new version, never neither.
TEST_CASE("what is not known to be on stable storage lets nothing acknowledged go") {
  Device device;
  REQUIRE(device.Put("app", "acknowledged").ok());
  for (const char* value : {"2", "3"}) {
    CAPTURE(value);
    REQUIRE(device.Seen("app") != "absent");  // so that the view is a new one
    // The barrier of the next write, and the new view after it.
    device.faulty->Arm(Fault{Fault::Kind::kFailBefore, 4, 2, false});
    const auto staged = device.Stage(
        {.name = NameOf("app"), .keys = KeysOf({{"k", value}}), .op_id = device.NextOp()});
    REQUIRE_MESSAGE(staged.Is(ErrorCode::kInDoubt), staged.error().message());
    device.faulty->Arm({});
  }
  REQUIRE(device.Seen("app") == "k=3");
  REQUIRE(device.store->Collect([] { return true; }).ok());
  REQUIRE(device.Restart(true).ok());  // the host loses its power
  const std::string seen = device.Seen("app");
  CHECK_MESSAGE((seen == "k=acknowledged" || seen == "k=3"), seen);
}

}  // namespace hsmops::test
