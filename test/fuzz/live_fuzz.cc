// A manager's live API, asked by a header and a body from outside; there is no device behind it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/manager/live_api.h"

using namespace hsmops;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::ManualClock clock;
  base::SeededRng rng(1);
  base::SequentialExecutor executor;
  cluster::MemoryResourceStore resources(clock, rng);
  manager::World world{resources, clock, rng, executor,
                       [](const std::string&, const std::string&, const store::Uid&,
                          const store::Uid&) -> std::unique_ptr<mirror::Member> { std::abort(); }};
  manager::Fronts fronts(world);
  manager::LiveApi live(fronts);
  // The target to the first zero, then the body.
  const base::ByteView all(data, size);
  std::size_t end = 0;
  while (end < size && data[end] != 0) ++end;
  net::Received head{"POST",
                     std::string(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(end)),
                     {"pool", net::Role::kManager, "client"},
                     "127.0.0.1:1",
                     {{"content-type", manager::kLiveContentType}},
                     {}};
  auto found = live.Find(head);
  auto* route = std::get_if<net::Route>(&found);
  if (route == nullptr) return 0;
  if (end < size) head.body.Append(all.subspan(end + 1));
  if (head.body.size() > route->max_body) return 0;
  const net::Reply reply = route->handle(std::move(head));
  if (reply.status != 200 && reply.status != 400) std::abort();
  return 0;
}
