#include "libhsmops/net/status_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <thread>

#include "libhsmops/net/health_page.h"
#include "libhsmops/net/listening.h"

namespace hsmops::net {
namespace {

namespace status_asio = boost::asio;
namespace status_http = boost::beast::http;
using StatusStream = boost::beast::tcp_stream;

constexpr auto kAsTuple = status_asio::as_tuple(status_asio::use_awaitable);
constexpr std::size_t kMaxStatusConnections = 64;
constexpr std::uint32_t kMaxStatusHeader = 8 << 10;
constexpr std::chrono::seconds kStatusPatience{10};
constexpr std::chrono::milliseconds kStatusAcceptPause{100};

Reply AnswerOf(const Pages& pages, const std::string& method, const std::string& target) {
  if (method != "GET" && method != "HEAD") {
    Reply reply = PlainReply(405, "GET it");
    reply.headers["Allow"] = "GET, HEAD";
    return reply;
  }
  return pages(PathOf(target));
}

}  // namespace

class StatusServer::Server {
 public:
  explicit Server(Pages its_pages) : pages_(std::move(its_pages)) {}
  ~Server() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  base::Result<void> Start(const std::string& listen) {
    HSM_RETURN_IF_ERROR(ListenOn(acceptor_, listen));
    boost::system::error_code error;
    address = TextOf(acceptor_.local_endpoint(error));
    status_asio::co_spawn(io_, Accept(), [](const std::exception_ptr&) {});
    thread_ = std::thread([this] { io_.run(); });
    return {};
  }

  std::string address;

 private:
  status_asio::awaitable<void> Accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kAsTuple);
      if (error) {
        pause_.expires_after(kStatusAcceptPause);
        co_await pause_.async_wait(kAsTuple);
        continue;
      }
      // Whoever was there longest goes: silent peers cannot keep a probe out.
      if (open_.size() >= kMaxStatusConnections) {
        open_.front()->close();
        open_.pop_front();
      }
      open_.push_back(std::make_shared<StatusStream>(std::move(socket)));
      status_asio::co_spawn(io_, Serve(open_.back()), [](const std::exception_ptr&) {});
    }
  }

  status_asio::awaitable<void> Serve(std::shared_ptr<StatusStream> stream) {
    boost::beast::flat_buffer buffer(kMaxStatusHeader * 2);
    for (bool again = true; again;) again = co_await ServeOne(*stream, buffer);
    boost::system::error_code ignored;
    stream->socket().shutdown(status_asio::ip::tcp::socket::shutdown_send, ignored);
    open_.remove(stream);
  }

  status_asio::awaitable<bool> ServeOne(StatusStream& stream, boost::beast::flat_buffer& buffer) {
    stream.expires_after(kStatusPatience);  // the wait for a request, and all of its header
    status_http::request_parser<status_http::empty_body> parser;
    parser.header_limit(kMaxStatusHeader);
    auto [error, size] = co_await status_http::async_read_header(stream, buffer, parser, kAsTuple);
    if (error) co_return false;
    const auto& request = parser.get();
    const bool keep = parser.is_done() && parser.keep_alive();
    const Reply reply =
        AnswerOf(pages_, std::string(request.method_string()), std::string(request.target()));
    std::string text = EncodeHead(reply, keep);
    if (request.method() != status_http::verb::head)
      text.append(reinterpret_cast<const char*>(reply.body.data()), reply.body.size());
    stream.expires_after(kStatusPatience);
    auto [write_error, written] =
        co_await status_asio::async_write(stream, status_asio::buffer(text), kAsTuple);
    co_return !write_error && keep;
  }

  const Pages pages_;
  status_asio::io_context io_{1};
  status_asio::ip::tcp::acceptor acceptor_{io_};
  status_asio::steady_timer pause_{io_};
  std::list<std::shared_ptr<StatusStream>> open_;  // the oldest first; of the one thread
  std::thread thread_;
};

StatusServer::StatusServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}
StatusServer::~StatusServer() = default;

base::Result<std::unique_ptr<StatusServer>> StatusServer::Start(const std::string& listen,
                                                                Pages pages) {
  auto server = std::make_unique<Server>(std::move(pages));
  HSM_RETURN_IF_ERROR(server->Start(listen));
  return std::unique_ptr<StatusServer>(new StatusServer(std::move(server)));
}

const std::string& StatusServer::address() const { return server_->address; }

}  // namespace hsmops::net
