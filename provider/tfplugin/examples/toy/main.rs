//! A provider without a cloud: shelves with boxes and slots, kept as files in a directory.
//!
//! It uses every feature of the crate once, and is what the tests drive with the real `terraform`. A file
//! `faults.json` in the directory makes it misbehave the way real APIs do.

mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use enigma_tfplugin::{
    Attribute, AttributePath, ClientCapabilities, Context, Create, DataSource, Delete, Diagnostic,
    Diagnostics, Dynamic, Found, Function, FunctionError, Imported, Nesting, NewState, Object, Plan, Planned,
    Provider, Read, Registry, Resource, Schema, Signature, Type, Update, Validator, Value, async_trait, run,
};
use serde::{Deserialize, Serialize};

use crate::world::{Slot, World};

type Shared = Arc<OnceLock<World>>;

#[derive(Default)]
struct Toy {
    world: Shared,
}

#[derive(Deserialize)]
struct ToyConfig {
    dir: Value<String>,
}

#[async_trait]
impl Provider for Toy {
    type Config = ToyConfig;

    fn name(&self) -> &'static str {
        "toy"
    }

    fn schema(&self) -> Schema {
        Schema::new()
            .description("Shelves in a directory.")
            .attribute("dir", Attribute::string().required().description("Where the shelves are kept."))
    }

    fn register(&self, registry: &mut Registry) {
        registry
            .resource("toy_shelf", Shelf(Arc::clone(&self.world)))
            .data_source("toy_stock", Stock(Arc::clone(&self.world)))
            .function("label", Label);
    }

    async fn configure(&self, _: &Context, config: ToyConfig, terraform_version: &str) -> Diagnostics {
        tracing::info!(terraform_version, "configured");
        if let Value::Known(dir) = config.dir {
            // For tests that watch the process itself.
            let _told = std::fs::write(
                std::path::Path::new(&dir).join("provider.pid"),
                std::process::id().to_string(),
            );
            // Configured once in the life of a process; a second, equal configuration changes nothing.
            let _same = self.world.set(World::new(dir.into()));
        }
        Diagnostics::new()
    }
}

fn world(shared: &Shared) -> Result<&World, Diagnostics> {
    shared.get().ok_or_else(|| {
        let detail = "Nothing was looked at, because the directory is known only after apply. Apply what makes it first.";
        Diagnostic::error("Directory is not known yet", detail).at(AttributePath::of("dir")).into()
    })
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct BoxState {
    colour: Value<String>,
    size: Value<u32>,
    code: Value<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SlotState {
    serial: String,
    /// The shelf's name eight times: gives slots a size.
    mark: String,
    state: Value<String>,
}

impl SlotState {
    fn of(shelf: &str, number: u32, state: Value<String>) -> Self {
        Self { serial: format!("{shelf}-{number:05}"), mark: shelf.repeat(8), state }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShelfState {
    id: Value<String>,
    name: Value<String>,
    slot_count: Value<u32>,
    boxes: Value<BTreeMap<String, Value<BoxState>>>,
    layout: Dynamic,
    owner: Dynamic,
    token: Value<String>,
    token_length: Value<u64>,
    nickname: Value<String>,
    ports: Value<Vec<Value<u16>>>,
    slots: Value<BTreeMap<String, SlotState>>,
    pending_count: Value<usize>,
}

/// A shelf: some boxes that people describe, and many slots that the provider numbers.
struct Shelf(Shared);

fn lower_case(name: &str) -> Result<(), String> {
    if name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
        Ok(())
    } else {
        Err(format!("\"{name}\" may have lower-case letters and dashes only."))
    }
}

#[async_trait]
impl Resource for Shelf {
    type State = ShelfState;
    type Config = ShelfState;

    fn schema(&self) -> Schema {
        let boxes = Object::new()
            .attribute(
                "colour",
                Attribute::string().required().validate(Validator::one_of(["red", "green", "blue"])),
            )
            .attribute(
                "size",
                Attribute::number().default_value(1).validate(Validator::whole_number(1..=100)),
            )
            .attribute("code", Attribute::string().computed().description("What is printed on the box."));
        let row = Object::new()
            .attribute("width", Attribute::number().required().validate(Validator::whole_number(1..=10)));
        let layout = Object::new().attribute("rows", Attribute::nested_list(row).required());
        let owner = Object::new().attribute("email", Attribute::string().required());
        let slot = Type::object([("serial", Type::String), ("mark", Type::String), ("state", Type::String)]);
        Schema::new()
            .version(1)
            .description("A shelf with boxes and slots.")
            .attribute("id", Attribute::string().computed().use_state_for_unknown())
            .attribute(
                "name",
                Attribute::string()
                    .required()
                    .requires_replace()
                    .validate(Validator::length(1..=20))
                    .validate(Validator::new("of lower-case letters and dashes", |name: String| {
                        lower_case(&name)
                    }))
                    .description("Its name, which is also its import id."),
            )
            .attribute(
                "slot_count",
                Attribute::number().default_value(0).validate(Validator::whole_number(0..=50_000)),
            )
            .attribute(
                "boxes",
                Attribute::nested_map(boxes)
                    .validate(Validator::keys("of lower-case letters", lower_case))
                    .description("Boxes by name."),
            )
            .attribute("layout", Attribute::nested_single(layout).description("How it looks."))
            .attribute("owner", Attribute::block(Nesting::List, owner, 0, 1).description("Whose it is."))
            .attribute("token", Attribute::string().sensitive().write_only().description("Opens the shelf."))
            .attribute("token_length", Attribute::number().computed())
            .attribute("nickname", Attribute::string().deprecated("Use `name`, which can be longer now."))
            .attribute(
                "ports",
                Attribute::set(Type::Number).validate(Validator::each(Validator::whole_number(1..=65_535))),
            )
            .attribute("slots", Attribute::map(slot).computed().description("What is in which slot."))
            .attribute("pending_count", Attribute::number().computed())
    }

    async fn validate(&self, _: &Context, config: ShelfState) -> Diagnostics {
        let mut found = Diagnostics::new();
        if let (Value::Known(name), Value::Known(nickname)) = (&config.name, &config.nickname)
            && name == nickname
        {
            let detail = format!("A nickname that is the name (\"{name}\") says nothing; leave it out.");
            found.push(Diagnostic::error("Nickname is the name", detail).at(AttributePath::of("nickname")));
        }
        found
    }

    async fn plan(
        &self,
        cx: &Context,
        request: Plan<ShelfState, ShelfState>,
    ) -> Result<Planned<ShelfState>, Diagnostics> {
        let ClientCapabilities { write_only_attributes_allowed, .. } = cx.client();
        tracing::debug!(write_only_attributes_allowed, "planning");
        let Plan { prior, config, mut proposed, .. } = request;
        proposed.token_length = match config.token {
            Value::Known(token) => Value::Known(token.len() as u64),
            other => other.map(|_| 0),
        };
        if let Value::Known(boxes) = &mut proposed.boxes {
            for (name, content) in boxes {
                if let Value::Known(content) = content {
                    content.code = content.colour.as_ref().map(|colour| format!("{name}/{colour}"));
                }
            }
        }
        proposed.slots = match (&proposed.name, &proposed.slot_count) {
            (Value::Known(name), Value::Known(count)) => {
                let prior = prior.as_ref().and_then(|prior| prior.slots.as_ref().known());
                let slots = (0..*count).map(|number| {
                    let key = format!("slot-{number:05}");
                    let there = prior.and_then(|slots| slots.get(&key)).map(|slot| &slot.state);
                    let state = match there {
                        Some(Value::Known(state)) if state == "made" => Value::Known(state.clone()),
                        _ => Value::Unknown,
                    };
                    (key, SlotState::of(name, number, state))
                });
                Value::Known(slots.collect())
            }
            _ => Value::Unknown,
        };
        let is_settled =
            |slots: &BTreeMap<String, SlotState>| slots.values().all(|slot| slot.state.is_known());
        proposed.pending_count = match &proposed.slots {
            Value::Known(slots) if is_settled(slots) => Value::Known(0),
            _ => Value::Unknown,
        };
        Ok(Planned::new(proposed))
    }

    async fn create(
        &self,
        cx: &Context,
        request: Create<ShelfState, ShelfState>,
    ) -> Result<NewState<ShelfState>, Diagnostics> {
        let world = world(&self.0)?;
        if world.faults().panics {
            panic!("the shelf fell over");
        }
        let (state, missing) = fill(world, cx, request.planned).await?;
        // An error would taint the whole shelf: what is missing is a warning, and counted.
        Ok(NewState::of(state).with(missing.map(|text| Diagnostic::warning("Not every slot was made", text))))
    }

    async fn read(
        &self,
        _: &Context,
        request: Read<ShelfState>,
    ) -> Result<NewState<ShelfState>, Diagnostics> {
        let mut state = request.state;
        let name = state.name.clone().known().unwrap_or_default();
        let Some(there) = world(&self.0)?.shelf(&name)? else { return Ok(NewState::gone()) };
        state.id = Value::Known(format!("shelf/{name}"));
        state.slot_count = Value::Known(there.wanted);
        state.pending_count = Value::Known((there.wanted as usize).saturating_sub(there.slots.len()));
        let slots = (0..there.wanted).map(|number| {
            let key = format!("slot-{number:05}");
            let made = if there.slots.contains_key(&key) { "made" } else { "pending" };
            (key, SlotState::of(&name, number, made.to_owned().into()))
        });
        state.slots = Value::Known(slots.collect());
        Ok(NewState::of(state))
    }

    async fn update(
        &self,
        cx: &Context,
        request: Update<ShelfState, ShelfState>,
    ) -> Result<NewState<ShelfState>, Diagnostics> {
        let (state, missing) = fill(world(&self.0)?, cx, request.planned).await?;
        Ok(NewState::of(state).with(missing.map(|text| Diagnostic::error("Not every slot was made", text))))
    }

    async fn delete(
        &self,
        _: &Context,
        request: Delete<ShelfState>,
    ) -> Result<NewState<ShelfState>, Diagnostics> {
        let mut state = request.prior;
        let name = state.name.clone().known().unwrap_or_default();
        let world = world(&self.0)?;
        let stuck = world.faults().stuck;
        if stuck == 0 {
            world.remove(&name)?;
            return Ok(NewState::gone());
        }
        let Some(mut there) = world.shelf(&name)? else { return Ok(NewState::gone()) };
        there.slots = std::mem::take(&mut there.slots).into_iter().take(stuck).collect();
        there.wanted = u32::try_from(there.slots.len()).unwrap_or(u32::MAX);
        world.store(&name, &there)?;
        state.slot_count = Value::Known(there.wanted);
        state.slots = state.slots.map(|slots| {
            slots.into_iter().filter(|(key, _)| there.slots.contains_key(key)).collect::<BTreeMap<_, _>>()
        });
        let detail =
            format!("{} slots of {name} are stuck and stay in the state. Try again.", there.slots.len());
        Ok(NewState::of(state).with([Diagnostic::error("Shelf was not emptied", detail)]))
    }

    async fn import(&self, _: &Context, id: String) -> Result<Vec<Imported<ShelfState>>, Diagnostics> {
        if world(&self.0)?.shelf(&id)?.is_none() {
            return Err(
                Diagnostic::error("No such shelf", format!("There is no shelf \"{id}\" to import.")).into()
            );
        }
        Ok(vec![Imported::new(ShelfState::named(id))])
    }

    async fn upgrade(
        &self,
        _: &Context,
        version: i64,
        raw: serde_json::Value,
    ) -> Result<ShelfState, Diagnostics> {
        // Version 0 called the name `title` and knew nothing else.
        let title = raw.get("title").and_then(|title| title.as_str());
        match (version, title) {
            (0, Some(title)) => Ok(ShelfState::named(title.to_owned())),
            _ => Err(Diagnostic::error("State cannot be read", "It has no title.").into()),
        }
    }
}

impl ShelfState {
    fn named(name: String) -> Self {
        Self {
            id: Value::Known(format!("shelf/{name}")),
            name: Value::Known(name),
            slot_count: Value::Null,
            boxes: Value::Null,
            layout: Dynamic::Null,
            owner: Dynamic::List(Vec::new()),
            token: Value::Null,
            token_length: Value::Null,
            nickname: Value::Null,
            ports: Value::Null,
            slots: Value::Null,
            pending_count: Value::Null,
        }
    }
}

/// Makes the planned slots as far as the world lets it, and says what is missing.
async fn fill(
    world: &World,
    cx: &Context,
    mut state: ShelfState,
) -> Result<(ShelfState, Option<String>), Diagnostics> {
    let name = state.name.clone().known().unwrap_or_default();
    let faults = world.faults();
    let mut shelf = world.shelf(&name)?.unwrap_or_default();
    // What was unknown during plan is planned now.
    let wanted = state.slot_count.known().unwrap_or_default();
    let mut slots: BTreeMap<String, SlotState> = state.slots.clone().known().unwrap_or_else(|| {
        (0..wanted)
            .map(|number| (format!("slot-{number:05}"), SlotState::of(&name, number, Value::Unknown)))
            .collect()
    });
    shelf.wanted = wanted;
    shelf.slots.retain(|key, _| slots.contains_key(key));
    let mut stopped = false;
    for (key, slot) in &slots {
        if shelf.slots.contains_key(key) {
            continue;
        }
        stopped = stopped || cx.stop().is_cancelled();
        if stopped || faults.fails_from.is_some_and(|from| shelf.slots.len() >= from) {
            break;
        }
        shelf.slots.insert(key.clone(), Slot { serial: slot.serial.clone() });
        if !faults.delay.is_zero() {
            world.store(&name, &shelf)?;
            tokio::time::sleep(faults.delay).await;
        }
    }
    world.store(&name, &shelf)?;
    for (key, slot) in &mut slots {
        slot.state = Value::Known(if shelf.slots.contains_key(key) { "made" } else { "pending" }.to_owned());
    }
    let pending = slots.len() - shelf.slots.len();
    state.id = Value::Known(format!("shelf/{name}"));
    state.pending_count = Value::Known(pending);
    if let Value::Known(boxes) = &mut state.boxes {
        for (name, content) in boxes {
            if let Value::Known(content) = content {
                content.code = content.colour.as_ref().map(|colour| format!("{name}/{colour}"));
            }
        }
    }
    if state.token_length.is_unknown() {
        state.token_length = Value::Null;
    }
    state.slots = Value::Known(slots);
    let why = if stopped { "stopped on request" } else { "the shelf is full" };
    let missing = (pending > 0)
        .then(|| format!("{pending} slots of {name} were not made: {why}. Apply again to go on."));
    Ok((state, missing))
}

/// How many slots a shelf has, looked up by name.
struct Stock(Shared);

#[derive(Serialize, Deserialize)]
struct StockState {
    name: String,
    made: Value<usize>,
}

#[async_trait]
impl DataSource for Stock {
    type Config = StockState;
    type State = StockState;

    fn schema(&self) -> Schema {
        Schema::new()
            .attribute("name", Attribute::string().required().description("The shelf."))
            .attribute("made", Attribute::number().computed().description("How many slots it has."))
    }

    async fn read(&self, _: &Context, config: StockState) -> Result<Found<StockState>, Diagnostics> {
        let shelf = world(&self.0)?.shelf(&config.name)?;
        let made = Value::Known(shelf.map_or(0, |shelf| shelf.slots.len()));
        Ok(Found::new(StockState { made, ..config }))
    }
}

/// `provider::toy::label("a", "b", "c")` is `"a: b, c"`.
struct Label;

#[async_trait]
impl Function for Label {
    type Arguments = (String, Vec<String>);
    type Output = String;

    fn signature(&self) -> Signature {
        Signature::returning(Type::String)
            .describe("Makes a label", "Joins a title and its parts.")
            .parameter("title", Type::String, "What comes first.")
            .variadic("parts", Type::String, "What follows.")
    }

    async fn call(&self, (title, parts): Self::Arguments) -> Result<String, FunctionError> {
        if title.is_empty() {
            return Err(FunctionError::new("A label needs a title.").at(0));
        }
        Ok(format!("{title}: {}", parts.join(", ")))
    }
}

fn main() -> ExitCode {
    run(Toy::default(), "registry.terraform.io/enigma/toy")
}
