// Requests to the live API behind the aggregation layer: a target on the first line, the body after
// it. Also what an API server says of whom to believe, and what a manager says of quarantine.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "libhsmops/base/check.h"
#include "libhsmops/kube/request_header.h"
#include "libhsmops/kube/secret_data.h"
#include "libhsmops/manager/live_path.h"
#include "libhsmops/manager/live_reply.h"
#include "libhsmops/manager/live_write.h"
#include "libhsmops/manager/mirrored_secret.h"
#include "libhsmops/manager/set_aside.h"

namespace hsmops {
namespace {

// What is taken apart and put together again is the same.
void CheckParted(base::ByteView body) {
  const auto parted = kube::PartData(body);
  if (!parted.ok()) return;
  const auto again = kube::PartData(kube::WithData(parted->document, parted->keys).view());
  // A member of its own that is named so and is no object stays where it was.
  if (parted->document.contains("data") || parted->document.contains("stringData")) return;
  HSM_CHECK(again.ok() && again->document == parted->document && again->keys == parted->keys);
}

void Request(const std::string& target, base::ByteView body) {
  const auto path = manager::ParseLivePath(target);
  (void)manager::WantsTable(target);
  if (!path.ok()) return;
  const auto name = manager::ParseMirroredName(path->name);
  if (!name.ok()) return;
  HSM_CHECK(manager::MirroredName(name->device, name->secret.text()) == path->name);
  for (const bool removes : {false, true})
    (void)manager::ParseLiveWrite(*path, name->secret, removes, body);
}

}  // namespace
}  // namespace hsmops

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hsmops;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  const base::ByteView body = base::ByteView(data, size).subspan(std::min(line + 1, size));
  CheckParted(body);
  Request(text.substr(0, line), body);
  const auto document = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  (void)kube::RequestHeader::FromConfigMap(document);
  if (!document.is_discarded()) (void)manager::ParseSetAside(document);
  return 0;
}
