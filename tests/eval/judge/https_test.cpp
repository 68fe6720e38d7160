// The client over TLS: a server whose certificate is trusted, and one whose is not. Key and certificate, which are for
// this test alone and hold for a hundred years, were made by
//   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost
//     -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout key.pem -out certificate.pem
#include <httplib.h>

#include "eval/judge/endpoint.h"
#include "tests/eval/judge/scripted_server.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

std::string file_of(const char* name) { return (std::filesystem::path(VLSI_TEST_DATA) / "judge" / name).string(); }

class TlsServer {
 public:
  TlsServer() : server_(file_of("certificate.pem").c_str(), file_of("key.pem").c_str()) {
    server_.Post("/v1/chat/completions", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(judge_test::completion("1.0"), "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~TlsServer() {
    server_.stop();
    thread_.join();
  }

  EndpointReply post() const {
    EndpointConfig config{concat("https://localhost:", port_, "/v1")};
    config.num_tries = 1;
    return ChatEndpoint(config).post("{}");
  }

 private:
  httplib::SSLServer server_;
  int port_ = 0;
  std::thread thread_;
};

TEST(ChatEndpoint, TrustsTheCertificatesThatTheMachineTrusts) {
  const TlsServer server;
  const auto refused = server.post();
  EXPECT_EQ(refused.text, std::nullopt);
  EXPECT_TRUE(refused.trouble.starts_with("the certificate of https://localhost:")) << refused.trouble;
  ::setenv("SSL_CERT_FILE", file_of("certificate.pem").c_str(), 1);  // where OpenSSL looks for them
  EXPECT_EQ(server.post().text, "1.0");
  ::unsetenv("SSL_CERT_FILE");
}

}  // namespace
}  // namespace vlsi
