//! Whatever is being waited for, waiting costs no time of the processor.

use std::io::Write as _;

use crate::support::{Client, Rig, Service, in_own_process, is_own_process, ms, wait_for};

#[test]
fn nothing_that_waits_keeps_the_processor_busy() {
    if is_own_process() {
        return run();
    }
    let name = "waiting::nothing_that_waits_keeps_the_processor_busy";
    let output = in_own_process(name).wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Hundredths of a second that the gateway's workers have had of the processor.
fn spent() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the system says").flatten();
    let of_worker = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("stat")).ok()?;
        let (_, rest) = text.split_once("(worker-")?;
        let fields: Vec<&str> = rest.split(") ").nth(1)?.split(' ').collect();
        // Fields 14 and 15 of proc(5), counted from 1; the state is the third.
        Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
    };
    let times: Vec<u64> = tasks.filter_map(|task| of_worker(task.path())).collect();
    assert!(!times.is_empty(), "there are no workers");
    times.iter().sum()
}

/// Writes until nothing more is taken.
fn fill(stream: &mut std::net::TcpStream) {
    stream.set_write_timeout(Some(ms(200))).expect("it may be set");
    while stream.write(&[b'x'; 64 * 1024]).is_ok() {}
}

fn run() {
    let service = Service::start(|with| {
        let head = with.head().expect("a head");
        match head.first_line.split(' ').nth(1).expect("a target") {
            "/full" => {
                with.say("HTTP/1.1 200 OK\r\n\r\n");
                fill(&mut with.wire.stream);
            }
            "/deaf" => std::thread::sleep(ms(5000)),
            "/tunnel" => {
                with.say("HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
                // Its half stays open.
                std::thread::sleep(ms(5000));
            }
            "/early" => drop(with.say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")),
            "/interim" => drop(with.say("HTTP/1.1 103 Early Hints\r\n\r\n")),
            _ => {}
        }
        with.hold();
    });
    let rig = Rig::with(service.address, |settings, routing| {
        settings.limits.connections = 40;
        settings.timeouts.response = ms(5000);
        routing.services[0].policy.max_connections = 9;
        settings.timeouts.queue = ms(9000);
    });
    let mut clients: Vec<Client> = Vec::new();
    let mut ask = |request: &str| {
        clients.push(rig.client());
        let client = clients.last_mut().expect("it was just made");
        client.send(request);
        client.wire.stream.try_clone().expect("a second handle")
    };
    ask("");
    ask("GET / HT");
    ask("GET /silent HTTP/1.1\r\nhost: shop\r\n\r\n");
    ask("GET /interim HTTP/1.1\r\nhost: shop\r\n\r\n");
    ask("GET /full HTTP/1.1\r\nhost: shop\r\n\r\n");
    fill(&mut ask("POST /deaf HTTP/1.1\r\nhost: shop\r\ncontent-length: 999999999\r\n\r\n"));
    ask("POST /body HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\nhe");
    ask("POST /early HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\nhe");
    fill(&mut ask("GET /pipeline HTTP/1.1\r\nhost: shop\r\n\r\n"));
    let upgrade = "GET /tunnel HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    ask(upgrade);
    let half = ask(upgrade);
    wait_for("all of them", || rig.pool("active") == 9);
    half.shutdown(std::net::Shutdown::Write).expect("it is connected");
    // One more waits for a place.
    ask("GET /queue HTTP/1.1\r\nhost: shop\r\n\r\n");
    wait_for("the queue", || {
        rig.metric("rearguard_pool_waiting{service=\"svc\",subset=\"\"}") == Some(1)
    });
    std::thread::sleep(ms(200));
    let before = spent();
    std::thread::sleep(ms(1500));
    let spent = spent() - before;
    assert_eq!(rig.pool("active"), 9, "{:#?}", rig.handle.failures(0, 99));
    assert!(spent < 20, "{spent} hundredths of a second while nothing happened");
    drop(clients);
    rig.settle();
}
