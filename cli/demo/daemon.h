// Daemon: an agent or a manager that the demo runs as a process of its own, in its process group: a
// terminal's Ctrl-C ends it too.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"

namespace hsmops::cli {

class Daemon {
 public:
  // Starts `program words...` with its log in `log`, and waits until it listens. kUnavailable: it
  // ended or does not listen in time; its last words are in the error.
  static base::Result<Daemon> Start(const std::string& program, std::vector<std::string> words,
                                    std::string log, base::Clock& clock);
  Daemon(Daemon&& other) noexcept;
  Daemon& operator=(Daemon&& other) noexcept;
  ~Daemon();  // as Kill

  void Kill();  // SIGKILL, and waits for its end
  pid_t pid() const { return pid_; }
  const std::string& address() const { return address_; }  // "127.0.0.1:43211"
  const std::string& pages() const { return pages_; }      // of its health pages
  std::string Log() const;

 private:
  Daemon(pid_t pid, std::string log) : pid_(pid), log_(std::move(log)) {}
  std::string Said(const std::string& words) const;
  bool Ended();

  pid_t pid_ = 0;
  std::string log_;
  std::string address_;
  std::string pages_;
};

}  // namespace hsmops::cli
