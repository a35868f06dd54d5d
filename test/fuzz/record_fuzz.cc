// Record decoders: a head with its parts, and the EPOCH object. The fuzzer cannot guess a SHA-256,
// so half of the inputs are sealed for it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "libhsmops/base/digest.h"
#include "libhsmops/store/record.h"

using namespace hsmops;

namespace {

void Decode(base::ByteView bytes, const std::vector<base::SecretBytes>& parts) {
  if (const auto epoch = store::EpochRecord::Decode(bytes);
      epoch.ok() && epoch->serial.size() <= 64) {
    if (!(epoch->Encode() == base::SecretBytes(bytes))) std::abort();  // one content, one encoding
  }
  const auto head = store::DecodeHead(bytes);
  if (!head.ok()) return;
  if (!store::SecretName::Parse(head->name).ok()) std::abort();
  const auto keys = store::DecodeKeys(*head, parts);
  if (keys.ok() && keys->size() != head->keys.size()) std::abort();
  (void)base::FormatMicroTime(head->written_at);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView input(data, size);
  Decode(input, {});
  base::SecretBytes sealed(input);
  sealed.Append(base::Sha256(input));
  std::vector<base::SecretBytes> parts;
  parts.emplace_back(input.first(size / 2));
  parts.emplace_back(input.subspan(size / 2));
  Decode(sealed.view(), {});
  Decode(sealed.view(), parts);
  return 0;
}
