//! Pictures: diagrams over the size of a fleet.

use crate::policies::{Measured, Policy};
use plotters::{
    backend::SVGBackend,
    chart::ChartBuilder,
    coord::ranged1d::Ranged,
    coord::{Shift, combinators::IntoLogRange as _, ranged1d::ValueFormatter, types::RangedCoordf64},
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::{Circle, PathElement, Text},
    series::LineSeries,
    style::{Color as _, RGBColor, ShapeStyle, WHITE},
};
use std::{error::Error, ops::Range};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// The name of a line, and what it shows of a row.
pub(crate) type Shown<'a, R> = (&'a str, fn(&R) -> f64);

/// One line of a diagram, and its points: nodes, and a value.
struct Line {
    style: ShapeStyle,
    points: Vec<(f64, f64)>,
}

/// Draws how the calls that are made, and the requests that are refused, grow with the fleet, as SVG.
///
/// # Errors
///
/// If the library that draws refuses something.
pub(crate) fn svg(rows: &[Measured]) -> Result<String, Box<dyn Error>> {
    let calls = |row: &Measured| row.calls - row.calls_vain;
    let calls_max = rows.iter().map(calls).max().unwrap_or(1).max(100) as f64;
    let nodes_max = rows.iter().map(|row| row.nodes).max().unwrap_or(1);
    let names: Vec<_> = Policy::ALL.into_iter().map(|policy| (policy.name(), style(policy))).collect();
    let lines = |value: fn(&Measured) -> f64| {
        let line = |policy: Policy| {
            let of_policy = rows.iter().filter(|row| row.policy == policy);
            Line {
                style: style(policy),
                points: of_policy.map(|row| (row.nodes as f64, value(row))).collect(),
            }
        };
        Policy::ALL.map(line)
    };
    picture(&names, |left, right| {
        let made = lines(|row| (row.calls - row.calls_vain).max(1) as f64);
        let refused = lines(|row| 100.0 * row.refused as f64 / row.requests.max(1) as f64);
        let values = (100.0..calls_max * 1.5).log_scale();
        panel(left, "calls to the origin, while it works", nodes_max, values, &made)?;
        panel(right, "requests refused, %", nodes_max, RangedCoordf64::from(0.0..100.0), &refused)
    })
}

/// Draws what a node costs over the size of its fleet, as SVG: bytes a second at the left, and counts at the right.
///
/// # Errors
///
/// If the library that draws refuses something.
pub(crate) fn costs<R>(
    rows: &[R],
    nodes: fn(&R) -> usize,
    bytes: &[Shown<'_, R>],
    counts: &[Shown<'_, R>],
) -> Result<String, Box<dyn Error>> {
    let nodes_max = rows.iter().map(nodes).max().unwrap_or(1);
    let all = || bytes.iter().chain(counts).zip(COLORS.iter().map(|color| color.stroke_width(2)));
    let names: Vec<(&str, ShapeStyle)> = all().map(|((name, _), style)| (*name, style)).collect();
    let line = |((_, value), style): (&Shown<'_, R>, ShapeStyle)| {
        let point = |row: &R| (nodes(row) as f64, value(row).max(COST_MIN));
        Line { style, points: rows.iter().map(point).collect() }
    };
    let lines: Vec<Line> = all().map(line).collect();
    let (left_lines, right_lines) = lines.split_at(bytes.len());
    let values = |lines: &[Line]| {
        let most = lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
        (COST_MIN..most.fold(10.0, f64::max) * 1.5).log_scale()
    };
    picture(&names, |left, right| {
        panel(left, "bytes that a node sends in a second", nodes_max, values(left_lines), left_lines)?;
        panel(right, "of a node", nodes_max, values(right_lines), right_lines)
    })
}

/// Draws values by the second, as SVG: the same lines twice, over each of two spans of seconds.
///
/// # Errors
///
/// If the library that draws refuses something.
pub(crate) fn seconds(
    lines: &[(String, Vec<(f64, f64)>)],
    title: &str,
    spans: &[Range<f64>; 2],
) -> Result<String, Box<dyn Error>> {
    let styles = || COLORS.iter().map(|color| color.stroke_width(2));
    let names: Vec<_> = lines.iter().zip(styles()).map(|((name, _), style)| (name.as_str(), style)).collect();
    let within = |span: &Range<f64>| -> Vec<Line> {
        let shown =
            |points: &[(f64, f64)]| points.iter().copied().filter(|(at, _)| span.contains(at)).collect();
        lines.iter().zip(styles()).map(|((_, points), style)| Line { style, points: shown(points) }).collect()
    };
    picture(&names, |left, right| {
        span(left, title, &spans[0], &within(&spans[0]))?;
        span(right, title, &spans[1], &within(&spans[1]))
    })
}

/// One diagram over a span of seconds.
fn span(area: &Area<'_>, title: &str, seconds: &Range<f64>, lines: &[Line]) -> Drawn {
    let most = lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(1.0, f64::max);
    let mut chart = chart(area, title).build_cartesian_2d(seconds.clone(), 0.0..most * 1.1)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .x_labels(6)
        .label_style(("sans-serif", TEXT_SIZE))
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for Line { style, points } in lines {
        chart.draw_series(LineSeries::new(points.iter().copied(), *style))?;
    }
    Ok(())
}

/// The frame of a diagram.
fn chart<'a, 'b>(area: &'a Area<'b>, title: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart
        .caption(title, ("sans-serif", TITLE_SIZE))
        .margin(10)
        .margin_right(24)
        .x_label_area_size(40)
        .y_label_area_size(82);
    chart
}

/// A legend over two diagrams.
fn picture(
    names: &[(&str, ShapeStyle)],
    draw: impl FnOnce(&Area<'_>, &Area<'_>) -> Drawn,
) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(LEGEND_HEIGHT);
        let (left, right) = body.split_horizontally(WIDTH / 2);
        legend(&head, names)?;
        draw(&left, &right)?;
        root.present()?;
    }
    Ok(text)
}

fn legend(area: &Area<'_>, names: &[(&str, ShapeStyle)]) -> Drawn {
    let (mut x, y) = (20, LEGEND_HEIGHT as i32 / 2);
    for (name, style) in names {
        area.draw(&PathElement::new(vec![(x, y), (x + 18, y)], *style))?;
        area.draw(&Text::new(*name, (x + 24, y - 7), ("sans-serif", TEXT_SIZE)))?;
        x += 24 + name.len() as i32 * LETTER_WIDTH + 24;
    }
    Ok(())
}

/// One diagram over the number of nodes.
fn panel<Y>(area: &Area<'_>, title: &str, nodes_max: usize, values: Y, lines: &[Line]) -> Drawn
where
    Y: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let nodes: Range<f64> = 1.0..nodes_max.max(2) as f64;
    let mut chart = chart(area, title).build_cartesian_2d(nodes.log_scale(), values)?;
    chart
        .configure_mesh()
        .x_desc("nodes")
        .label_style(("sans-serif", TEXT_SIZE))
        .x_label_formatter(&|nodes| grouped(*nodes as u64))
        .y_label_formatter(&|value| grouped(*value as u64))
        .light_line_style(WHITE)
        .draw()?;
    for Line { style, points } in lines {
        chart.draw_series(LineSeries::new(points.iter().copied(), *style))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, style.filled())))?;
    }
    Ok(())
}

fn style(policy: Policy) -> ShapeStyle {
    let (color, width) = match policy {
        Policy::Broadcast => (RGBColor(204, 121, 167), 2),
        Policy::Direct => (RGBColor(110, 110, 110), 2),
        Policy::EachItsOwn => (RGBColor(230, 159, 0), 2),
        Policy::Fleet => (RGBColor(0, 114, 178), 3),
        Policy::Proxy => (RGBColor(0, 158, 115), 2),
    };
    color.stroke_width(width)
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let apart = |(place, digit): (usize, char)| {
        let is_apart = place > 0 && (digits.len() - place).is_multiple_of(3);
        is_apart.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(apart).collect()
}

/// Heights of letters, in the library's unit: 1.24 to a pixel.
const TEXT_SIZE: u32 = 17;
const TITLE_SIZE: u32 = 20;

/// Wider than most letters are at [`TEXT_SIZE`].
const LETTER_WIDTH: i32 = 8;

/// Colors that people tell apart however they see colors.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(110, 110, 110),
    RGBColor(213, 94, 0),
];

/// What is less is drawn as if it were this: the scale has no zero.
const COST_MIN: f64 = 1.0;

/// Wide enough to be read where pages show pictures 800 wide.
const WIDTH: u32 = 800;
const HEIGHT: u32 = 400;
const LEGEND_HEIGHT: u32 = 36;
