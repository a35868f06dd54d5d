#include "libhsmops/store/version_bytes.h"

namespace hsmops::store {

using base::Reader;
using base::Writer;

void WriteEpoch(Writer& out, const Epoch& epoch) {
  out.U64(epoch.counter);
  out.U64(epoch.nonce);
}

Epoch ReadEpoch(Reader& in) {
  Epoch epoch;
  epoch.counter = in.U64();
  epoch.nonce = in.U64();
  return epoch;
}

void WriteVersion(Writer& out, const Version& version) {
  WriteEpoch(out, version.epoch);
  out.U64(version.lsn);
}

Version ReadVersion(Reader& in) {
  Version version;
  version.epoch = ReadEpoch(in);
  version.lsn = in.U64();
  return version;
}

}  // namespace hsmops::store
