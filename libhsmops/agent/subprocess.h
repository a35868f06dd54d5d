// Subprocess: another run of this binary, with a socket to it.
#pragma once

#include <sys/types.h>

#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"

namespace hsmops::agent {

class Subprocess {
 public:
  // `program verb`, its standard input a socket to us, in a process group of its own: a terminal's
  // Ctrl-C does not cut it short; it ends when the socket closes.
  static base::Result<Subprocess> Start(const std::string& program, const std::string& verb);
  Subprocess() = default;
  Subprocess(Subprocess&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), socket_(std::move(other.socket_)) {}
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();

  bool running() const { return pid_ > 0; }
  int socket() const { return socket_.get(); }
  pid_t pid() const { return pid_; }
  // Closes the socket, waits so long for it to end by itself, then kills it; one that does not end
  // even then is left to itself after two seconds. "exit code 0", "signal 9", "killed, and not gone
  // yet".
  std::string End(base::Duration wait, base::Clock& clock);

 private:
  pid_t pid_ = 0;
  base::Fd socket_;
};

}  // namespace hsmops::agent
