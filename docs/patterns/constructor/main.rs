use rearguard::scope;

#[derive(Clone, Copy, Debug)]
struct Part(&'static str);

fn open(name: &'static str, broken: bool) -> Result<Part, String> {
    if broken { Err(format!("{name} is broken")) } else { Ok(Part(name)) }
}

fn close(part: Part) {
    println!("{} closed", part.0);
}

fn connect(broken: bool) -> Result<Part, String> {
    scope(|s| {
        let wire = open("wire", false)?;
        s.on_failure(move || close(wire));
        open("session", broken)?;
        Ok(wire)
    })
}

pub(crate) fn main() {
    println!("{:?}", connect(false));
    println!("{:?}", connect(true));
}
