//! Reads heads in a loop, to count the instructions that one takes:
//!
//! ```sh
//! cargo build --release -p gateway --example codec-instructions
//! valgrind --tool=callgrind target/release/examples/codec-instructions request 1000
//! ```
//! The same with 2000: the difference, divided by 1000, is one head. `request-httparse` and
//! `response-httparse` are the floor: the lines are read, and nothing is judged or kept.

use std::{env, hint::black_box, mem::MaybeUninit, process::ExitCode};

use gateway::h1::{
    Asked, HeadLimits, HeadScanner, HostRule, LineEnds, Malformed, Scan, parse_request,
    parse_response,
};

const REQUEST: &[u8] = b"GET /catalog/items?page=2&sort=price HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\n\
    Referer: https://shop.example.com/catalog\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: shop\r\n\
    Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 200\r\n\
    Cache-Control: no-store\r\n\
    Connection: keep-alive\r\n\r\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let count = arguments.get(1).and_then(|count| count.parse().ok());
    let (Some(what), Some(count)) = (arguments.first(), count) else { return ExitCode::FAILURE };
    let read: fn() -> Result<(), Malformed> = match what.as_str() {
        "request" => request,
        "response" => response,
        "request-httparse" => request_httparse,
        "response-httparse" => response_httparse,
        _ => return ExitCode::FAILURE,
    };
    let all_read = (0..count).all(|_: u32| read().is_ok());
    if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn request() -> Result<(), Malformed> {
    let (bytes, limits) = (black_box(REQUEST), HeadLimits::default());
    if let Scan::Complete(end) =
        HeadScanner::new(LineEnds::Strict, limits.head_bytes).scan(bytes)?
    {
        black_box(parse_request(&bytes[..end], &limits, HostRule::RefuseMismatch)?);
    }
    Ok(())
}

fn response() -> Result<(), Malformed> {
    let (bytes, limits) = (black_box(RESPONSE), HeadLimits::default());
    if let Scan::Complete(end) =
        HeadScanner::new(LineEnds::Lenient, limits.head_bytes).scan(bytes)?
    {
        black_box(parse_response(&bytes[..end], &limits, Asked::default())?);
    }
    Ok(())
}

fn request_httparse() -> Result<(), Malformed> {
    let mut slots = [MaybeUninit::uninit(); 128];
    let mut parsed = httparse::Request::new(&mut []);
    parsed.parse_with_uninit_headers(black_box(REQUEST), &mut slots)?;
    black_box(&parsed);
    Ok(())
}

fn response_httparse() -> Result<(), Malformed> {
    let mut slots = [MaybeUninit::uninit(); 128];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    config.parse_response_with_uninit_headers(&mut parsed, black_box(RESPONSE), &mut slots)?;
    black_box(&parsed);
    Ok(())
}
