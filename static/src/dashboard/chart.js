/** @odoo-module **/

import { Component, onMounted, onPatched, onWillUnmount, useRef } from "@odoo/owl";
import { makeConfig } from "./chart_config";

/** A chart, and beside it a table with the same figures, for keyboard and screen reader. */
export class DashboardChart extends Component {
    setup() {
        this.canvas = useRef("canvas");
        onMounted(() => this.draw());
        onPatched(() => this.draw());
        onWillUnmount(() => this.chart && this.chart.destroy());
    }

    get isEmpty() {
        return !this.props.series.some(({ values }) =>
            values.some((value) => value !== null && value !== false)
        );
    }

    /** Return the rows of the table: the slices in which there is something. */
    get rows() {
        return this.props.slices
            .map(({ title }, index) => ({
                index,
                title,
                cells: this.props.series.map(({ values, texts }) => ({
                    value: values[index],
                    text: texts ? texts[index] : this.write(values[index]),
                })),
            }))
            .filter(({ cells }) => cells.some(({ value }) => value));
    }

    get label() {
        const sums = this.props.series.map(({ label, values, texts }) => {
            const sum = values.reduce((total, value) => total + (value || 0), 0);
            return texts ? label : `${label}: ${this.write(sum)}`;
        });
        return `${this.props.title}. ${sums.join(", ")}`;
    }

    write(value) {
        return value === null || value === false ? "" : this.props.format(value);
    }

    draw() {
        if (this.chart) {
            this.chart.destroy();
            this.chart = null;
        }
        if (!this.canvas.el) {
            return;
        }
        const { slices, kind, series, isLogarithmic, max, format } = this.props;
        this.chart = new window.Chart(
            this.canvas.el,
            makeConfig({
                kind,
                series,
                isLogarithmic,
                max,
                format,
                labels: slices.map((slice) => slice.label),
                titles: slices.map((slice) => slice.title),
                onPick: (seriesIndex, index) => this.pick(seriesIndex, index),
            })
        );
    }

    pick(seriesIndex, index) {
        this.props.onPick(this.props.series[seriesIndex], index);
    }
}

DashboardChart.template = "ih_meta_conversions_api.DashboardChart";
DashboardChart.props = {
    name: String,
    title: String,
    help: String,
    kind: String,
    slices: Array,
    series: Array,
    note: String,
    empty: String,
    isLogarithmic: Boolean,
    max: { optional: true },
    format: Function,
    onPick: Function,
};
