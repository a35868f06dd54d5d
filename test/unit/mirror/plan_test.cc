// Plan: inventories in, steps out.
#include "libhsmops/mirror/plan.h"

#include <doctest/doctest.h>

#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

using mirror::MemberInventory;
using mirror::Step;
using State = store::InventoryItem::State;
using Kind = Step::Kind;

constexpr store::Epoch kNow{7, 70};

store::InventoryItem Item(std::uint8_t id, State state, std::uint64_t epoch, std::uint64_t lsn,
                          std::uint8_t content = 1) {
  store::InventoryItem item;
  item.id = {id};
  item.state = state;
  item.version = {epoch == 7 ? kNow : store::Epoch{epoch, epoch * 10}, lsn};
  if (state != State::kDamaged) item.digest = {content};
  item.name = "s" + std::to_string(id);
  return item;
}

store::Inventory Of(std::vector<store::InventoryItem> items) {
  store::Inventory inventory;
  inventory.items = std::move(items);
  return inventory;
}

struct Row {
  const char* what;
  std::vector<store::InventoryItem> source;
  std::vector<store::InventoryItem> mirror;
  std::optional<Kind> step;  // the only one
};

}  // namespace

TEST_CASE("what is planned for one secret on one mirror") {
  const auto present = [](std::uint64_t e, std::uint64_t l, std::uint8_t c = 1) {
    return std::vector{Item(1, State::kPresent, e, l, c)};
  };
  const auto dead = [](std::uint64_t e, std::uint64_t l) {
    return std::vector{Item(1, State::kTombstone, e, l)};
  };
  const auto damaged = [](std::uint64_t e, std::uint64_t l) {
    return std::vector{Item(1, State::kDamaged, e, l)};
  };
  const Row rows[] = {
      {"equal", present(7, 5), present(7, 5), {}},
      {"equal, of an older epoch", present(6, 5), present(6, 5), {}},
      {"missing", present(7, 5), {}, Kind::kCopy},
      {"older", present(7, 5), present(6, 4), Kind::kCopy},
      {"older in the same epoch", present(7, 5), present(7, 4), Kind::kCopy},
      {"same version, other content", present(7, 5), present(7, 5, 2), Kind::kAlarm},
      {"newer, its epoch is over", present(6, 5), present(6, 6), Kind::kQuarantine},
      {"newer, its epoch still runs", present(6, 5), present(7, 6), Kind::kRestore},
      {"not on the source, its epoch is over", {}, present(6, 6), Kind::kQuarantine},
      {"not on the source, its epoch still runs", {}, present(7, 6), Kind::kRestore},
      {"a deletion travels", dead(7, 5), present(7, 4), Kind::kCopy},
      {"deleted on both", dead(7, 5), dead(7, 5), {}},
      {"deleted, and the mirror never had it", dead(7, 5), {}, Kind::kCopy},
      {"deleted, which the source never knew", {}, dead(6, 5), Kind::kRestore},
      {"an older deletion on the mirror", present(7, 5), dead(6, 4), Kind::kCopy},
      {"a newer deletion nobody acknowledged", present(6, 5), dead(6, 6), Kind::kQuarantine},
      {"damaged on the mirror", present(7, 5), damaged(7, 5), Kind::kCopy},
      {"damaged on the mirror in an older version", present(7, 5), damaged(6, 4), Kind::kCopy},
      {"damaged on the mirror in a newer version", present(7, 5), damaged(7, 6), Kind::kAlarm},
      {"damaged on the mirror, not on the source", {}, damaged(7, 6), Kind::kAlarm},
      {"damaged on the source, whole on the mirror", damaged(7, 5), present(7, 5), Kind::kRestore},
      {"damaged on the source, older on the mirror", damaged(7, 5), present(7, 4), Kind::kAlarm},
      {"damaged on both", damaged(7, 5), damaged(7, 5), Kind::kAlarm},
      {"damaged on the source, not on the mirror", damaged(7, 5), {}, Kind::kAlarm},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto plan = mirror::Plan(Of(row.source), {{"m", Of(row.mirror)}}, kNow, true);
    CHECK(plan.steps.size() == (row.step ? 1U : 0U));
    if (row.step && !plan.steps.empty()) CHECK(plan.steps[0].kind == *row.step);
    CHECK(plan.Equal() == !row.step);
  }
}

TEST_CASE("nothing is planned for a member that could not be asked, and nothing about the dead") {
  const auto source = Of({Item(1, State::kPresent, 7, 5), Item(2, State::kTombstone, 7, 6),
                          Item(3, State::kDamaged, 7, 7)});
  const MemberInventory unknown{"m2", base::Error(ErrorCode::kUnavailable, "away")};
  const auto plan = mirror::Plan(source, {{"m1", Of({})}, unknown}, kNow, true);
  CHECK(plan.unknown == std::vector<std::string>{"m2"});
  CHECK(!plan.Equal());
  CHECK(plan.dead.empty());
  REQUIRE(plan.steps.size() == 2);  // and no alarm: the one who could repair it may be the one away
  for (const mirror::Step& step : plan.steps) CHECK(step.node == "m1");
}

TEST_CASE(
    "of several members that can restore a secret, the one with the greatest version does, first "
    "of all") {
  const auto source = Of({Item(1, State::kPresent, 7, 9), Item(2, State::kPresent, 7, 2)});
  const auto plan = mirror::Plan(source,
                                 {{"m1", Of({Item(2, State::kPresent, 7, 3)})},
                                  {"m2", Of({Item(2, State::kPresent, 7, 5)})},
                                  {"m3", Of({Item(2, State::kPresent, 7, 5)})}},
                                 kNow, true);
  REQUIRE(plan.steps.size() == 4);
  CHECK(plan.steps[0].kind == Kind::kRestore);
  CHECK(plan.steps[0].node == "m2");
  for (std::size_t i = 1; i < 4; ++i) CHECK(plan.steps[i].kind == Kind::kCopy);
}

TEST_CASE("a tombstone is due when every member has it or nothing") {
  const auto due = [](std::vector<store::InventoryItem> one, std::vector<store::InventoryItem> two,
                      bool every) {
    const auto source = Of({Item(1, State::kTombstone, 7, 5)});
    return mirror::Plan(source, {{"m1", Of(std::move(one))}, {"m2", Of(std::move(two))}}, kNow,
                        every)
               .dead.size() == 1;
  };
  const auto check = [&] {
    return due({Item(1, State::kTombstone, 7, 5)}, {}, true) && due({}, {}, true) &&
           !due({}, {}, false) && !due({Item(1, State::kPresent, 7, 4)}, {}, true) &&
           !due({Item(1, State::kTombstone, 7, 4)}, {}, true) &&
           !due({Item(1, State::kDamaged, 7, 4)}, {}, true);
  };
  CHECK(check());
  const MutantOn on(base::Mutant::kTombstoneEarly);
  CHECK(!check());
}

}  // namespace hsmops::test
