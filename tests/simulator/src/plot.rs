//! The picture of a comparison.

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

/// Draws how the calls that are made, and the requests that are refused, grow with the fleet, as SVG.
///
/// # Errors
///
/// If the library that draws refuses something.
pub(crate) fn svg(rows: &[Measured]) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(LEGEND_HEIGHT);
        let (left, right) = body.split_horizontally(WIDTH / 2);
        legend(&head)?;
        let nodes_max = rows.iter().map(|row| row.nodes).max().unwrap_or(1).max(2) as f64;
        let calls = |row: &Measured| row.calls - row.calls_vain;
        let calls_max = rows.iter().map(calls).max().unwrap_or(1).max(100) as f64;
        panel(
            &left,
            "calls to the origin, while it works",
            nodes_max,
            (100.0..calls_max * 1.5).log_scale(),
            rows,
            |row| (row.calls - row.calls_vain).max(1) as f64,
        )?;
        panel(&right, "requests refused, %", nodes_max, RangedCoordf64::from(0.0..100.0), rows, |row| {
            100.0 * row.refused as f64 / row.requests.max(1) as f64
        })?;
        root.present()?;
    }
    Ok(text)
}

fn legend(area: &Area<'_>) -> Drawn {
    let (mut x, y) = (20, LEGEND_HEIGHT as i32 / 2);
    for policy in Policy::ALL {
        area.draw(&PathElement::new(vec![(x, y), (x + 18, y)], style(policy)))?;
        area.draw(&Text::new(policy.name(), (x + 24, y - 7), ("sans-serif", TEXT_SIZE)))?;
        x += 24 + policy.name().len() as i32 * LETTER_WIDTH + 24;
    }
    Ok(())
}

/// One diagram over the number of nodes.
fn panel<Y>(
    area: &Area<'_>,
    title: &str,
    nodes_max: f64,
    values: Y,
    rows: &[Measured],
    value: fn(&Measured) -> f64,
) -> Drawn
where
    Y: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let nodes: Range<f64> = 1.0..nodes_max;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", TITLE_SIZE))
        .margin(10)
        .margin_right(24)
        .x_label_area_size(40)
        .y_label_area_size(82)
        .build_cartesian_2d(nodes.log_scale(), values)?;
    chart
        .configure_mesh()
        .x_desc("nodes")
        .label_style(("sans-serif", TEXT_SIZE))
        .x_label_formatter(&|nodes| grouped(*nodes as u64))
        .y_label_formatter(&|value| grouped(*value as u64))
        .light_line_style(WHITE)
        .draw()?;
    for policy in Policy::ALL {
        let of_policy = rows.iter().filter(|row| row.policy == policy);
        let points: Vec<(f64, f64)> = of_policy.map(|row| (row.nodes as f64, value(row))).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), style(policy)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, style(policy).filled())))?;
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

/// Wide enough to be read where pages show pictures 800 wide.
const WIDTH: u32 = 800;
const HEIGHT: u32 = 400;
const LEGEND_HEIGHT: u32 = 36;
