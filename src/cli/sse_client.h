// Many streaming requests to a chat API from one thread (libcurl), and when their events came: for `bench serve`.
#pragma once
#include <string>
#include <vector>

namespace jevons {

struct StreamTimes {
  double first = 0;          // seconds from the request to the first event with text
  double end = 0;            // seconds from the request to the end of the stream
  std::vector<double> gaps;  // seconds between events
  int64_t tokens = 0;        // as the server's usage says, else the number of events with text
};

// Sends every body as POST to `url` at once and reads the event streams to their ends. Throws Error for a connection
// that fails, another status than 200, or a stream without an event.
std::vector<StreamTimes> stream_all(const std::string& url, const std::string& api_key,
                                    const std::vector<std::string>& bodies);

}  // namespace jevons
