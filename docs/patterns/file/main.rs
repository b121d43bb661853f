use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use rearguard::scope;

fn usual() -> io::Result<()> {
    let file = File::create("/dev/full")?;
    let mut writer = BufWriter::new(file); // the error of its drop is lost
    writer.write_all(b"hello")
}

fn careful() -> io::Result<()> {
    scope(|s| {
        let file = File::create("/dev/full")?;
        let writer = s.hold(BufWriter::new(file), |mut writer, _| writer.flush());
        writer.write_all(b"hello")
    })
}

pub(crate) fn main() {
    println!("usual: {:?}", usual().err().map(|error| error.kind()));
    println!("careful: {:?}", careful().err().map(|error| error.kind()));
}
