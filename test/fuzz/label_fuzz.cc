// Labels, names, versions and ids: what is taken is what would be written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libhsmops/base/printable.h"
#include "libhsmops/store/label.h"

using namespace hsmops;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto label = store::Label::Parse(text); label && label->ToString() != text)
    std::abort();
  if (const auto name = store::SecretName::Parse(text);
      name.ok() && (name->text() != text || size > store::kMaxNameBytes))
    std::abort();
  if (const auto uid = store::ParseUid(text);
      uid.ok() && store::ParseUid(store::UidText(*uid)).ok() == false)
    std::abort();
  (void)store::Expectation::Parse(text);
  (void)store::CheckKeyName(text);
  if (!base::IsUtf8(base::Printable(text))) std::abort();
  return 0;
}
