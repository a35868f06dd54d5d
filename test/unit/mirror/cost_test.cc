// What copies cost, counted in calls to the token: the same on any machine.
#include <cstdint>
#include <string>
#include <vector>

#include "libhsmops/mirror/apply.h"
#include "libhsmops/mirror/plan.h"
#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using std::chrono::seconds;

constexpr std::size_t kBatch = 200;

struct Calls {
  std::uint64_t first_sync = 0;
  std::uint64_t nothing_to_do = 0;
  std::uint64_t one_change = 0;  // on the mirror
};

class Costs : ThreeNodes {
 public:
  explicit Costs(const token::Profile& profile) : ThreeNodes(profile) {
    REQUIRE(a.Grant(kEpoch, 1, seconds(300)).ok());
  }

  Calls Measure(std::size_t secrets) {
    for (std::size_t at = 0; at < secrets; at += kBatch) Write(at, kBatch);
    const auto count = [&](auto work) {
      const std::uint64_t before = a.faulty->calls() + b.faulty->calls() + c.faulty->calls();
      work();
      return a.faulty->calls() + b.faulty->calls() + c.faulty->calls() - before;
    };
    Calls calls;
    calls.first_sync = count([&] { CHECK(Sync() == 2 * secrets); });
    calls.nothing_to_do = count([&] {
      const auto root = a.client->Digest()->root;
      CHECK(b.client->Digest()->root == root);
      CHECK(c.client->Digest()->root == root);
    });
    Write(0, 1);
    const std::uint64_t before = b.faulty->calls();
    CHECK(Sync() == 2);
    calls.one_change = b.faulty->calls() - before;
    return calls;
  }

 private:
  void Write(std::size_t from, std::size_t count) {
    std::vector<store::Write> writes;
    for (std::size_t i = from; i < from + count; ++i) {
      store::OpId op{};
      op[0] = static_cast<std::uint8_t>(++ops_);
      op[1] = static_cast<std::uint8_t>(ops_ >> 8U);
      writes.push_back({.name = NameOf("n" + std::to_string(i)),
                        .keys = KeysOf({{"k", std::to_string(ops_)}}),
                        .op_id = op});
    }
    const auto staged = a.client->Stage(std::move(writes), 512);
    REQUIRE(staged.ok());
    for (const auto& one : *staged) REQUIRE(one.ok());
  }
  std::uint64_t Sync() {
    const auto all = std::bitset<store::kBuckets>().set();
    const auto source = a.client->ReadInventory(all);
    REQUIRE(source.ok());
    const mirror::SyncPlan plan = mirror::Plan(
        *source, {{"b", b.client->ReadInventory(all)}, {"c", c.client->ReadInventory(all)}}, kEpoch,
        true);
    const mirror::ApplyReport report = mirror::Apply(
        plan, *a.client, {{"a", a.client.get()}, {"b", b.client.get()}, {"c", c.client.get()}},
        {kEpoch, 1}, executor_, {});
    CHECK(report.failed.empty());
    return report.copied;
  }

  base::SequentialExecutor executor_{1};
  unsigned ops_ = 0;
};

}  // namespace

TEST_CASE(
    "a first sync is linear, one without anything to do costs no call, a change costs its own") {
  const Calls small = Costs(token::kSoftHsm).Measure(1 * kBatch);
  const Calls large = Costs(token::kSoftHsm).Measure(5 * kBatch);
  CAPTURE(small.first_sync);
  CAPTURE(large.first_sync);
  CHECK(large.first_sync >= 4 * small.first_sync);
  CHECK(large.first_sync <= 6 * small.first_sync);
  CHECK(small.nothing_to_do == 0);
  CHECK(large.nothing_to_do == 0);
  CHECK(large.one_change == small.one_change);
}

}  // namespace hsmops::test
