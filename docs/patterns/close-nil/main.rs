use std::{fs::File, io};

use rearguard::scope;

pub(crate) fn main() {
    let result = scope(|s| -> Result<(), io::Error> {
        let file = File::open("no such file")?;
        // Reached only with a file: there is no nil to close.
        s.hold(file, |file, _| file.sync_all());
        Ok(())
    });
    println!("{result:?}");
}
