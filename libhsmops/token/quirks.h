// Quirks: what a driver does to the process that loads it, and what makes up for it; each with the
// driver's name and version.
#pragma once

#include <string>
#include <vector>

namespace hsmops::token {

// opencryptoki 3.8.1 (Debian 12). C_Finalize closes its file LCK..APIlock and goes on using that
// descriptor's number in the next view, whatever has it by then: it locks our file, and the next
// C_Finalize closes it. So the lock file is put back under that number.
class OpenCryptokiLock {
 public:
  // Before C_Finalize: notes where the driver has its lock file. Nothing with other drivers.
  OpenCryptokiLock();
  // After C_Finalize. False: another thread has taken the number, so the driver must not be
  // initialised again in this process.
  bool PutBack() const;

 private:
  std::string path_;
  std::vector<int> descriptors_;
};

}  // namespace hsmops::token
