// Versions as bytes, the same in records and in the ledger: counter, nonce, lsn
// (docs/record-format.md).
#pragma once

#include "libhsmops/base/wire.h"
#include "libhsmops/store/secret.h"

namespace hsmops::store {

void WriteEpoch(base::Writer& out, const Epoch& epoch);
Epoch ReadEpoch(base::Reader& in);
void WriteVersion(base::Writer& out, const Version& version);
Version ReadVersion(base::Reader& in);

}  // namespace hsmops::store
